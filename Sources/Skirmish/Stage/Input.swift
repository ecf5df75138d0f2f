// SPDX-License-Identifier: Apache-2.0
// Input: keys and mouse become commands and intents.

import SkirmishRules
import TandemSDL

/// What a single press asks for.
enum Command {
    case start, pause, leave

    /// `nil`: the event asks for nothing.
    init?(_ event: SDL_Event) {
        switch SDL_EventType(rawValue: event.type) {
        case SDL_KEYDOWN where event.key.repeat == 0:
            switch event.key.keysym.sym {
            case Keys.escape: self = .leave
            case Keys.p: self = .pause
            case Keys.enter, Keys.keypadEnter: self = .start
            default: return nil
            }
        case SDL_MOUSEBUTTONDOWN: self = .start
        default: return nil
        }
    }
}

/// What the player's hands do.
struct Input {
    /// Keys and mouse events that came.
    private(set) var count = 0
    private(set) var mouse: Vector?
    private var held: Set<Int32> = []
    private var mouseFires = false

    mutating func take(_ event: SDL_Event) {
        switch SDL_EventType(rawValue: event.type) {
        case SDL_KEYDOWN where event.key.repeat == 0: held.insert(event.key.keysym.sym)
        case SDL_KEYUP: held.remove(event.key.keysym.sym)
        // SDL has put the renderer's logical size into the event.
        case SDL_MOUSEMOTION: mouse = Vector(Double(event.motion.x), Double(event.motion.y))
        case SDL_MOUSEBUTTONDOWN:
            mouse = Vector(Double(event.button.x), Double(event.button.y))
            mouseFires = true
        case SDL_MOUSEBUTTONUP: mouseFires = false
        default: return
        }
        count += 1
    }

    /// What the player wants of the ship now.
    func intent(_ world: World) -> Intent {
        func axis(_ low: [Int32], _ high: [Int32]) -> Double {
            (high.contains { held.contains($0) } ? 1 : 0) - (low.contains { held.contains($0) } ? 1 : 0)
        }
        var intent = Intent(thrust: Vector(axis(Keys.left, Keys.right), axis(Keys.up, Keys.down)))
        intent.target = mouse
        intent.fires = mouseFires
        if held.contains(Keys.space) {
            // Without a mouse the gunner picks the target.
            intent.target = BotPilot.decide(world, ship: 0).target ?? mouse
            intent.fires = true
        }
        return intent
    }
}

private enum Keys {
    static let escape = Int32(SDLK_ESCAPE.rawValue)
    static let p = Int32(SDLK_p.rawValue)
    static let enter = Int32(SDLK_RETURN.rawValue)
    static let keypadEnter = Int32(bitPattern: UInt32(SDLK_KP_ENTER.rawValue))
    static let space = Int32(SDLK_SPACE.rawValue)
    static let left = [Int32(SDLK_a.rawValue), Int32(bitPattern: UInt32(SDLK_LEFT.rawValue))]
    static let right = [Int32(SDLK_d.rawValue), Int32(bitPattern: UInt32(SDLK_RIGHT.rawValue))]
    static let up = [Int32(SDLK_w.rawValue), Int32(bitPattern: UInt32(SDLK_UP.rawValue))]
    static let down = [Int32(SDLK_s.rawValue), Int32(bitPattern: UInt32(SDLK_DOWN.rawValue))]
}
