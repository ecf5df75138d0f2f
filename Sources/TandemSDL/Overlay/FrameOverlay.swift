// SPDX-License-Identifier: Apache-2.0
// FrameOverlay: what the loop does, drawn over the game.
// Idea:   two graphs change in each frame; the text, which nobody could read faster, four times a second. So a frame makes rectangles of numbers, in
//         memory that is kept, and hands them to SDL.
// Owner:  the main thread.

import Tandem
import TandemCSDL

/// The loop's figures over the game's picture: what each of the last frames took, how much of that was spent in ticks, what stands on the loop, and
/// how late things ran. One line in the game's drawing, before it is presented:
///
/// ```swift
/// guest.overlay.draw(renderer)
/// SDL_RenderPresent(renderer)
/// ```
///
/// It brings its own letters, draws by SDL's renderer alone, in the game's units (its logical size or scale), and leaves the renderer's colour and
/// blend mode as they were. A frame that takes a quarter more than the frame loop's period, and a tick that exceeds its budget, is orange. Between two texts,
/// four a second, it allocates nothing.
@MainActor public final class FrameOverlay {
    /// Where it lies.
    public enum Corner: Sendable, Hashable {
        /// In this corner.
        case topLeft, topRight, bottomLeft, bottomRight
    }

    /// Whether it is drawn. One that is hidden costs nothing.
    public var isShown = true {
        didSet { if !isShown { history.pause() } }
    }
    /// Where it lies.
    public var corner = Corner.topRight
    /// How many of the game's units a point of its letters has, which are 5 by 7 points; `nil`: one for each 360 units of the picture's height.
    public var scale: Double?
    /// The game's own figures, below the loop's; 38 characters of ASCII in each line, or more in smaller letters.
    public var lines: [String] = []

    /// Changes of the text.
    private static let textInterval = Duration.milliseconds(250)

    private weak var guest: SDLGuest?
    private var history = FrameHistory(capacity: OverlayLayout.bars)
    private var text = OverlayText()
    private var frames = OverlayGraph(bars: OverlayLayout.bars)
    private var ticks = OverlayGraph(bars: OverlayLayout.bars)
    private var layout = OverlayLayout()
    private var textTime: ContinuousClock.Instant?
    private var period = Duration.milliseconds(16)

    init(_ guest: SDLGuest) { self.guest = guest }

    /// Notes a frame, and draws. Once a frame, after everything else. Without a renderer it does nothing.
    public func draw(_ renderer: OpaquePointer?) {
        guard isShown, let renderer, let guest else { return }
        let statistics = guest.loop.statistics
        let now = guest.loop.now
        history.note(statistics, at: now)
        let isDue = textTime.map { $0.duration(to: now) >= Self.textInterval } ?? true
        if isDue { period = guest.framePeriod }
        let place = OverlayLayout(renderer, scale: scale, corner: corner, lines: isDue ? lines.count : layout.lines)
        if isDue || place != layout {
            layout = place
            textTime = now
            write(statistics)
        }
        let most = period * 2
        frames.take(history, in: layout.graph(0, most)) { [period] in
            ($0.frameTime, isLate: $0.frameTime > period * 5 / 4)
        }
        ticks.take(history, in: layout.graph(1, period)) { ($0.timeInTicks, isLate: $0.isOverBudget) }
        paint(renderer)
    }

    private func paint(_ renderer: OpaquePointer) {
        var (red, green, blue, alpha, blend) = (UInt8(0), UInt8(0), UInt8(0), UInt8(0), SDL_BLENDMODE_NONE)
        SDL_GetRenderDrawColor(renderer, &red, &green, &blue, &alpha)
        SDL_GetRenderDrawBlendMode(renderer, &blend)
        defer {
            SDL_SetRenderDrawColor(renderer, red, green, blue, alpha)
            SDL_SetRenderDrawBlendMode(renderer, blend)
        }
        SDL_SetRenderDrawBlendMode(renderer, SDL_BLENDMODE_BLEND)
        OverlayColour.panel.set(renderer)
        var panel = layout.panel
        SDL_RenderFillRectF(renderer, &panel)
        frames.draw(renderer, .frames)
        ticks.draw(renderer, .ticks)
        OverlayColour.mark.set(renderer)
        var line = layout.periodLine
        SDL_RenderFillRectF(renderer, &line)
        OverlayColour.text.set(renderer)
        text.draw(renderer)
    }

    // MARK: - The text

    /// The lines as they were written last. For tests, as the next.
    package private(set) var writtenLines: [String] = []
    /// How many frames the graphs have.
    package var frameCount: Int { history.count }

    private func write(_ statistics: Statistics) {
        text.clear()
        let entries = (0..<history.count).map { history[$0] }
        let (last, recent) = (entries.last, entries.suffix(15))
        let (size, x) = (layout.scale, layout.x)
        func write(_ line: String, _ y: Double) {
            text.write(line, x: x, y: y, size: size, columns: OverlayLayout.columns)
        }
        write(
            "frame \(Self.milliseconds(last?.frameTime)) ms, longest \(Self.milliseconds(entries.map(\.frameTime).max()))",
            layout.title(0))
        write(
            "ticks \(Self.milliseconds(last?.timeInTicks)) ms, longest \(Self.milliseconds(entries.map(\.timeInTicks).max()))",
            layout.title(1))
        let (callbacks, jobs) = (recent.map(\.callbacks).max() ?? 0, recent.map(\.jobs).max() ?? 0)
        let latency = statistics.latency
        let figures = [
            "a frame: \(callbacks) callbacks, \(jobs) jobs",
            "timers \(statistics.timers), descriptors \(statistics.registrations)",
            "ready to run \(Self.microseconds(latency.p50)) us, 99% \(Self.microseconds(latency.p99)) us",
            "over budget \(statistics.budgetOverruns) of \(statistics.ticks) ticks",
            "longest callback \(Self.milliseconds(statistics.longestCallback)) ms",
            "hints dropped \(statistics.hintsDropped)",
        ]
        writtenLines = figures + lines
        for (number, line) in writtenLines.enumerated() { write(line, layout.line(number)) }
    }

    /// Two decimals, without Foundation.
    private static func milliseconds(_ time: Duration?) -> String {
        let hundredths = Int(((time ?? .zero) / .milliseconds(1) * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }

    private static func microseconds(_ time: Duration) -> Int { Int(time / .microseconds(1)) }
}

extension SDLGuest {
    /// The distance of two frames of the frame loop that is under way; without one, of the display's pictures.
    var framePeriod: Duration { runningPeriod ?? .seconds(1) / (displayRate() ?? 60) }
}
