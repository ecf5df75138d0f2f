// SPDX-License-Identifier: Apache-2.0
// Starfield: three layers of stars that drift at different speeds. Its chance is its own: it must not touch the world's.

import SkirmishRules
import TandemSDL

struct Starfield {
    private struct Star {
        var place: Vector
        let speed: Double
        let size: Float
        let brightness: UInt8
    }

    private var stars: [Star]

    init() {
        var chance = Generator(seed: 20)
        stars = (0..<180).map { index in
            let layer = index % 3
            return Star(
                place: Vector(chance.fraction() * World.size.x, chance.fraction() * World.size.y),
                speed: [4, 9, 18][layer], size: [1, 1.5, 2.2][layer],
                brightness: UInt8(chance.value(in: [60...110, 90...160, 140...230][layer])))
        }
    }

    mutating func move(_ delta: Duration) {
        let seconds = delta / .seconds(1)
        for index in stars.indices {
            stars[index].place.y += stars[index].speed * seconds
            if stars[index].place.y > World.size.y { stars[index].place.y -= World.size.y }
        }
    }

    func draw(_ renderer: OpaquePointer) {
        for star in stars {
            SDL_SetRenderDrawColor(
                renderer, star.brightness, star.brightness, UInt8(min(255, Int(star.brightness) + 25)), 255)
            var rectangle = SDL_FRect(x: Float(star.place.x), y: Float(star.place.y), w: star.size, h: star.size)
            SDL_RenderFillRectF(renderer, &rectangle)
        }
    }
}
