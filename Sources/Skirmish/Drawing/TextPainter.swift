// SPDX-License-Identifier: Apache-2.0
// TextPainter: writes with the atlas: 16 by 6 cells of 16 by 24 pixels, characters 32 to 127.

import CSDL2
import SkirmishRules

@MainActor
final class TextPainter {
    private let renderer: OpaquePointer
    private let font: Picture

    init(_ renderer: OpaquePointer, _ font: Picture) {
        self.renderer = renderer
        self.font = font
    }

    /// Writes a line; `size` 1 is 12 by 18 units a character.
    func draw(_ line: String, at place: Vector, size: Double, colour: (UInt8, UInt8, UInt8), isCentred: Bool = false) {
        SDL_SetTextureColorMod(font.texture, colour.0, colour.1, colour.2)
        let width = 12 * size
        var x = isCentred ? place.x - width * Double(line.unicodeScalars.count) / 2 : place.x
        for scalar in line.unicodeScalars {
            // What the font lacks shows as a question mark.
            let code = (32..<127).contains(scalar.value) ? Int32(scalar.value) - 32 : 31
            var source = SDL_Rect(x: code % 16 * 16, y: code / 16 * 24, w: 16, h: 24)
            var target = SDL_FRect(x: Float(x), y: Float(place.y), w: Float(width), h: Float(18 * size))
            SDL_RenderCopyF(renderer, font.texture, &source, &target)
            x += width
        }
    }
}
