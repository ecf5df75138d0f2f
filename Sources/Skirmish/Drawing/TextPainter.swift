// SPDX-License-Identifier: Apache-2.0
// TextPainter: writes with the atlases: 16 by 6 cells, characters 32 to 127.

import SkirmishRules
import TandemSDL

final class TextPainter {
    enum Alignment { case left, centre, right }

    private let renderer: OpaquePointer
    private let font: Picture
    private let headlines: Picture

    init(_ renderer: OpaquePointer, font: Picture, headlines: Picture) {
        self.renderer = renderer
        self.font = font
        self.headlines = headlines
    }

    /// Writes a line; `size` 1 is 12 by 18 units a character. `place` is its upper left, middle or right.
    func draw(
        _ line: String, at place: Vector, size: Double, _ tint: Tint, _ alignment: Alignment = .left,
        opacity: Double = 1
    ) {
        let atlas = size < 1.25 ? font : headlines
        let (cellWidth, cellHeight) = (atlas.width / 16, atlas.height / 6)
        let (red, green, blue) = tint.bytes
        SDL_SetTextureColorMod(atlas.texture, red, green, blue)
        SDL_SetTextureAlphaMod(atlas.texture, UInt8(255 * min(max(opacity, 0), 1)))
        let width = 12 * size
        let whole = width * Double(line.unicodeScalars.count)
        var x = place.x - (alignment == .left ? 0 : alignment == .centre ? whole / 2 : whole)
        for scalar in line.unicodeScalars {
            // What the font lacks shows as a question mark.
            let code = (32..<127).contains(scalar.value) ? Int32(scalar.value) - 32 : 31
            var source = SDL_Rect(x: code % 16 * cellWidth, y: code / 16 * cellHeight, w: cellWidth, h: cellHeight)
            var target = SDL_FRect(x: Float(x), y: Float(place.y), w: Float(width), h: Float(18 * size))
            SDL_RenderCopyF(renderer, atlas.texture, &source, &target)
            x += width
        }
    }

    /// A headline that shines: the line, and its light around it.
    func drawShining(_ line: String, at place: Vector, size: Double, _ tint: Tint) {
        SDL_SetTextureBlendMode(headlines.texture, SDL_BLENDMODE_ADD)
        for ring in 1...3 {
            for (x, y) in [(1.0, 0.0), (0.7, 0.7), (0, 1), (-0.7, 0.7), (-1, 0), (-0.7, -0.7), (0, -1), (0.7, -0.7)] {
                let offset = Vector(x, y) * (Double(ring) * size * 0.34)
                draw(line, at: place + offset, size: size, tint.dimmed(0.11 / Double(ring)), .centre)
            }
        }
        SDL_SetTextureBlendMode(headlines.texture, SDL_BLENDMODE_BLEND)
        draw(line, at: place, size: size, tint.mixed(with: .white, 0.25), .centre)
    }
}
