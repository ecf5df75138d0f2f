// SPDX-License-Identifier: Apache-2.0
// OverlayLayout: where the parts of the overlay stand, in the units that the game draws in.
// Owner:  a value; whoever holds it.

import TandemCSDL

struct OverlayLayout: Equatable {
    /// Characters of a line.
    static let columns = 38
    /// Frames of a graph.
    static let bars = columns * OverlayText.advance / 2
    /// Lines of the loop's own figures.
    private static let figures = 6
    private static let graphHeight = 30
    private static let border = 4
    private static let width = columns * OverlayText.advance + 2 * border
    private(set) var scale = 1.0
    private(set) var lines = 0
    private var left = 0.0
    private var top = 0.0
    private var height: Double { (line(Self.figures + lines) - top) + Double(Self.border) * scale }

    init() {}

    init(_ renderer: OpaquePointer, scale: Double?, corner: FrameOverlay.Corner, lines: Int) {
        let picture = Self.size(renderer)
        self.lines = lines
        self.scale = scale ?? max(1, (picture.height / 360).rounded(.down))
        let margin = 4 * self.scale
        let isLeft = corner == .topLeft || corner == .bottomLeft
        let isTop = corner == .topLeft || corner == .topRight
        left = isLeft ? margin : max(0, picture.width - Double(Self.width) * self.scale - margin)
        top = isTop ? margin : max(0, picture.height - height - margin)
    }

    /// The picture's size in the units that the game draws in.
    private static func size(_ renderer: OpaquePointer) -> (width: Double, height: Double) {
        var (width, height) = (Int32(0), Int32(0))
        SDL_RenderGetLogicalSize(renderer, &width, &height)
        if width > 0, height > 0 { return (Double(width), Double(height)) }
        var (scaleX, scaleY) = (Float(1), Float(1))
        SDL_GetRendererOutputSize(renderer, &width, &height)
        SDL_RenderGetScale(renderer, &scaleX, &scaleY)
        return (Double(width) / Double(scaleX), Double(height) / Double(scaleY))
    }

    var panel: SDL_FRect {
        SDL_FRect(
            x: Float(left), y: Float(top), w: Float(Double(Self.width) * scale), h: Float(height))
    }

    var x: Double { left + Double(Self.border) * scale }

    /// The line above a graph: 0 or 1.
    func title(_ number: Int) -> Double {
        let block = OverlayText.lineHeight + Self.graphHeight + 3
        return top + Double(Self.border + number * block) * scale
    }

    func graph(_ number: Int, _ most: Duration) -> OverlayGraph.Frame {
        OverlayGraph.Frame(
            x: x, y: title(number) + Double(OverlayText.lineHeight) * scale, barWidth: 2 * scale,
            height: Double(Self.graphHeight) * scale, most: most)
    }

    /// Where a frame of just one period ends.
    var periodLine: SDL_FRect {
        let graph = graph(0, .zero)
        return SDL_FRect(
            x: Float(graph.x), y: Float(graph.y + graph.height / 2),
            w: Float(Double(Self.bars) * graph.barWidth), h: Float(scale))
    }

    func line(_ number: Int) -> Double { title(2) + Double(number * OverlayText.lineHeight) * scale }
}
