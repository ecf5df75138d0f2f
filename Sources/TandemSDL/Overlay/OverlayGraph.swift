// SPDX-License-Identifier: Apache-2.0
// OverlayGraph: a bar for each of the last frames, the newest at the right; another colour for those that were too late.
// Owner:  a value; whoever holds it.

import TandemCSDL

struct OverlayGraph {
    /// Where it stands, and how much the full height is.
    struct Frame: Equatable {
        var x = 0.0
        var y = 0.0
        var barWidth = 1.0
        var height = 1.0
        var most = Duration.milliseconds(1)
    }

    // Kept for their memory.
    private var usual: [SDL_FRect] = []
    private var late: [SDL_FRect] = []

    init(bars: Int) {
        usual.reserveCapacity(bars)
        late.reserveCapacity(bars)
    }

    /// Takes the bars anew: `value` gives a frame's height, and whether it was late.
    mutating func take(
        _ history: FrameHistory, in frame: Frame, _ value: (FrameHistory.Entry) -> (Duration, isLate: Bool)
    ) {
        usual.removeAll(keepingCapacity: true)
        late.removeAll(keepingCapacity: true)
        let first = history.capacity - history.count
        for index in 0..<history.count {
            let (time, isLate) = value(history[index])
            let part = min(1, max(0, time / frame.most))
            // At least a line, so that a frame is seen; in whole units, so that all bars stand on one line.
            let height = max(frame.barWidth / 2, (frame.height * part).rounded())
            let bar = SDL_FRect(
                x: Float(frame.x + Double(first + index) * frame.barWidth), y: Float(frame.y + frame.height - height),
                w: Float(frame.barWidth), h: Float(height))
            if isLate { late.append(bar) } else { usual.append(bar) }
        }
    }

    func draw(_ renderer: OpaquePointer, _ colour: OverlayColour) {
        Self.fill(renderer, usual, colour)
        Self.fill(renderer, late, .late)
    }

    private static func fill(_ renderer: OpaquePointer, _ bars: [SDL_FRect], _ colour: OverlayColour) {
        guard !bars.isEmpty else { return }
        colour.set(renderer)
        SDL_RenderFillRectsF(renderer, bars, Int32(bars.count))
    }
}

struct OverlayColour {
    let red: UInt8
    let green: UInt8
    let blue: UInt8
    var alpha: UInt8 = 255

    static let panel = OverlayColour(red: 5, green: 10, blue: 20, alpha: 220)
    static let mark = OverlayColour(red: 70, green: 90, blue: 120)
    static let text = OverlayColour(red: 225, green: 235, blue: 245)
    static let frames = OverlayColour(red: 77, green: 243, blue: 255)
    static let ticks = OverlayColour(red: 124, green: 255, blue: 155)
    static let late = OverlayColour(red: 255, green: 150, blue: 60)

    func set(_ renderer: OpaquePointer) { SDL_SetRenderDrawColor(renderer, red, green, blue, alpha) }
}
