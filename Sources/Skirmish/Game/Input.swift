// SPDX-License-Identifier: Apache-2.0
// Input: keys and mouse become an intent.

import CSDL2
import SkirmishRules

@MainActor
struct Input {
    enum Command { case none, leave, pause, start }

    /// Keys and mouse events that came, and whether there was one.
    private(set) var count = 0
    var isUsed: Bool { count > 0 }
    private var held: Set<Int32> = []
    private var mouse: Vector?
    private var mouseFires = false

    mutating func take(_ event: SDL_Event, _ window: Window) -> Command {
        switch SDL_EventType(rawValue: event.type) {
        case SDL_KEYDOWN where event.key.repeat == 0:
            count += 1
            held.insert(event.key.keysym.sym)
            return command(event.key.keysym.sym)
        case SDL_KEYUP:
            count += 1
            held.remove(event.key.keysym.sym)
        case SDL_MOUSEMOTION:
            count += 1
            // SDL has put the renderer's logical size into the event.
            mouse = Vector(Double(event.motion.x), Double(event.motion.y))
        case SDL_MOUSEBUTTONDOWN:
            count += 1
            mouse = Vector(Double(event.button.x), Double(event.button.y))
            mouseFires = true
            return .start
        case SDL_MOUSEBUTTONUP:
            count += 1
            mouseFires = false
        default: break
        }
        return .none
    }

    private func command(_ key: Int32) -> Command {
        switch key {
        case Keys.escape: .leave
        case Keys.p: .pause
        case Keys.enter, Keys.keypadEnter: .start
        default: .none
        }
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
