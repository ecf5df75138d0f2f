// SPDX-License-Identifier: Apache-2.0
// Artist: draws what is on the screen. Reads the scenes' state, changes nothing of it.
// Idea:   pictures, lights and lines here; what they make up in the extensions.

import Foundation
import SkirmishRules
import TandemSDL

final class Artist {
    let renderer: OpaquePointer
    let assets: Assets
    let text: TextPainter
    /// Where the picture's origin is, for shaking it.
    var camera = Vector.zero
    /// How far the picture is ahead of the last step, in seconds: displays do not keep to the steps' pace.
    private(set) var ahead = 0.0
    /// Painted once: big lights cost more than all the rest.
    private let sky: OpaquePointer?

    init(_ renderer: OpaquePointer, _ assets: Assets) {
        self.renderer = renderer
        self.assets = assets
        text = TextPainter(renderer, font: assets.font, headlines: assets.headlines)
        sky = SDL_CreateTexture(
            renderer, SDL_PIXELFORMAT_ARGB8888.rawValue, Int32(SDL_TEXTUREACCESS_TARGET.rawValue), Window.width,
            Window.height)
        // Light adds up.
        for name in ["glow", "shot-friendly", "shot-hostile"] {
            SDL_SetTextureBlendMode(assets[name].texture, SDL_BLENDMODE_ADD)
        }
        paintSky()
    }

    /// - Parameter isCovered: A menu with a title of its own lies over the screen: what is written under it is left out.
    func draw(_ screen: Screen, _ stars: Starfield, best: Int, time: Double, ahead: Double, isCovered: Bool = false) {
        self.ahead = ahead
        if sky != nil { SDL_RenderCopy(renderer, sky, nil, nil) }
        stars.draw(renderer)
        switch screen {
        case .loading: break
        case .title(let show):
            drawMatch(show)
            if !isCovered { drawTitle(best: best, time: time) }
        case .match(let match, let isPaused):
            if isPaused || match.isElsewhere { self.ahead = 0 }
            drawMatch(match)
            drawFigures(match, best: best, time: time, isCovered: isCovered)
        case .over(let match, let isBest):
            self.ahead = 0
            drawMatch(match)
            drawOver(match.world, best: best, isBest: isBest, time: time)
        case .lobby(_, let party): drawLobby(party, time: time)
        case .scores(let match, let party):
            self.ahead = 0
            drawMatch(match)
            drawScores(party, match.world, time: time)
        }
    }

    /// Clouds of light, and a faint grid to fly over.
    private func paintSky() {
        guard let sky, SDL_SetRenderTarget(renderer, sky) == 0 else { return }
        defer { SDL_SetRenderTarget(renderer, nil) }
        SDL_SetRenderDrawColor(renderer, 5, 6, 16, 255)
        SDL_RenderClear(renderer)
        for (x, y, size, hex) in [
            (180.0, 120.0, 760.0, 0x0E0B22), (800, 430, 900, 0x081527), (520, 560, 620, 0x14081C),
            (900, 40, 520, 0x061820),
        ] {
            glow(Vector(x, y), size, Tint(hex))
        }
        SDL_SetRenderDrawBlendMode(renderer, SDL_BLENDMODE_ADD)
        paintGrain()
        SDL_SetRenderDrawColor(renderer, 10, 16, 30, 255)
        for x in stride(from: Int32(0), through: Window.width, by: 60) {
            SDL_RenderDrawLine(renderer, x, 0, x, Window.height)
        }
        for y in stride(from: Int32(0), through: Window.height, by: 60) {
            SDL_RenderDrawLine(renderer, 0, y, Window.width, y)
        }
        SDL_SetRenderDrawBlendMode(renderer, SDL_BLENDMODE_NONE)
    }

    /// Breaks up the steps that dark clouds have in eight bits.
    private func paintGrain() {
        var chance = Generator(seed: 3)
        for brightness in UInt8(1)...4 {
            let points = (0..<50_000).map { _ in
                SDL_FPoint(x: Float(chance.fraction() * World.size.x), y: Float(chance.fraction() * World.size.y))
            }
            SDL_SetRenderDrawColor(renderer, brightness, brightness, brightness + 1, 255)
            SDL_RenderDrawPointsF(renderer, points, Int32(points.count))
        }
    }

    // MARK: - Parts

    /// A picture, turned from pointing up to `direction`, in proportion to its own size.
    func picture(
        _ name: String, _ place: Vector, _ direction: Vector = Vector(0, -1), wide: Double = 1, high: Double = 1,
        tint: Tint = .white
    ) {
        let picture = assets[name]
        let (red, green, blue) = tint.bytes
        SDL_SetTextureColorMod(picture.texture, red, green, blue)
        let (width, height) = (Double(picture.width) * wide, Double(picture.height) * high)
        var target = SDL_FRect(
            x: Float(place.x + camera.x - width / 2), y: Float(place.y + camera.y - height / 2), w: Float(width),
            h: Float(height))
        if direction.x == 0, direction.y <= 0 {
            SDL_RenderCopyF(renderer, picture.texture, nil, &target)
        } else {
            let angle = atan2(direction.x, -direction.y) * 180 / .pi
            SDL_RenderCopyExF(renderer, picture.texture, nil, &target, angle, nil, SDL_FLIP_NONE)
        }
    }

    /// A round light.
    func glow(_ place: Vector, _ size: Double, _ tint: Tint, high: Double = 1) {
        let glow = assets["glow"]
        let (red, green, blue) = tint.bytes
        SDL_SetTextureColorMod(glow.texture, red, green, blue)
        var target = SDL_FRect(
            x: Float(place.x + camera.x - size / 2), y: Float(place.y + camera.y - size * high / 2), w: Float(size),
            h: Float(size * high))
        SDL_RenderCopyF(renderer, glow.texture, nil, &target)
    }

    func box(_ place: Vector, _ width: Double, _ height: Double, _ tint: Tint, isFilled: Bool, opacity: Double = 1) {
        let (red, green, blue) = tint.bytes
        var frame = SDL_FRect(x: Float(place.x), y: Float(place.y), w: Float(width), h: Float(height))
        SDL_SetRenderDrawBlendMode(renderer, SDL_BLENDMODE_BLEND)
        SDL_SetRenderDrawColor(renderer, red, green, blue, UInt8(255 * opacity))
        if isFilled { SDL_RenderFillRectF(renderer, &frame) } else { SDL_RenderDrawRectF(renderer, &frame) }
        SDL_SetRenderDrawBlendMode(renderer, SDL_BLENDMODE_NONE)
    }

    /// Darkens everything that was drawn so far.
    func shade(_ opacity: Double) {
        box(.zero, World.size.x, World.size.y, Tint(0x04050E), isFilled: true, opacity: opacity)
    }
}
