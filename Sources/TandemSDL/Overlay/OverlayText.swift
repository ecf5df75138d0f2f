// SPDX-License-Identifier: Apache-2.0
// OverlayText: lines of text as rectangles, one for each run of points.
// Owner:  a value; whoever holds it.

import TandemCSDL

/// Text that can be drawn by one call. What was written stays until it is cleared.
struct OverlayText {
    /// The distance of two characters, and of two lines, in points of the font.
    static let advance = OverlayFont.width + 1
    static let lineHeight = OverlayFont.height + 2

    private(set) var rectangles: [SDL_FRect] = []

    mutating func clear() { rectangles.removeAll(keepingCapacity: true) }

    /// Adds a line at a place, in which a point of the font is `size` units; less, if the line has more than so many columns.
    mutating func write(_ line: String, x: Double, y: Double, size: Double, columns: Int) {
        let characters = line.unicodeScalars
        let size = characters.count > columns ? size * Double(columns) / Double(characters.count) : size
        for (column, character) in characters.enumerated() {
            let byte = character == "µ" ? UInt8(ascii: "u") : UInt8(exactly: character.value) ?? 0
            add(byte, x + Double(column * Self.advance) * size, y, size)
        }
    }

    private mutating func add(_ character: UInt8, _ x: Double, _ y: Double, _ size: Double) {
        for (row, points) in OverlayFont.rows(of: character).enumerated() {
            var left = points
            while left != 0 {
                // The run of points that begins furthest to the left.
                let start = left.leadingZeroBitCount - (8 - OverlayFont.width)
                let length = (left << UInt8(start + 8 - OverlayFont.width) ^ 0xFF).leadingZeroBitCount
                rectangles.append(
                    SDL_FRect(
                        x: Float(x + Double(start) * size), y: Float(y + Double(row) * size),
                        w: Float(Double(length) * size), h: Float(size)))
                left &= (1 << UInt8(OverlayFont.width - start - length)) - 1
            }
        }
    }

    /// Draws all of it in the renderer's colour.
    func draw(_ renderer: OpaquePointer) {
        if !rectangles.isEmpty { SDL_RenderFillRectsF(renderer, rectangles, Int32(rectangles.count)) }
    }
}
