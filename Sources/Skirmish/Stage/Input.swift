// SPDX-License-Identifier: Apache-2.0
// Input: keys, mouse and gamepad become commands and intents.

import SkirmishRules
import TandemSDL

/// What a single press asks for.
enum Command {
    case start, pause, leave, up, down, left, right

    /// `nil`: the event asks for nothing, whatever the keys are bound to.
    init?(_ event: SDL_Event) {
        switch SDL_EventType(rawValue: event.type) {
        case SDL_KEYDOWN where event.key.repeat == 0:
            switch event.key.keysym.sym {
            case Keys.escape: self = .leave
            case Keys.enter, Keys.keypadEnter: self = .start
            default: return nil
            }
        case SDL_MOUSEBUTTONDOWN: self = .start
        case SDL_CONTROLLERBUTTONDOWN:
            switch SDL_GameControllerButton(rawValue: Int32(event.cbutton.button)) {
            case SDL_CONTROLLER_BUTTON_A: self = .start
            case SDL_CONTROLLER_BUTTON_B: self = .leave
            case SDL_CONTROLLER_BUTTON_START: self = .pause
            case SDL_CONTROLLER_BUTTON_DPAD_UP: self = .up
            case SDL_CONTROLLER_BUTTON_DPAD_DOWN: self = .down
            case SDL_CONTROLLER_BUTTON_DPAD_LEFT: self = .left
            case SDL_CONTROLLER_BUTTON_DPAD_RIGHT: self = .right
            default: return nil
            }
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
    private var bound: [Action: Int32] = [:]
    var gamepads = Gamepads()

    init() { bind(Settings()) }

    mutating func bind(_ settings: Settings) {
        for action in Action.allCases { bound[action] = SDL_GetKeyFromName(settings.key(action)) }
    }

    mutating func take(_ event: SDL_Event) {
        if gamepads.take(event) { return }
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

    /// Whether a press is the one that an action is bound to.
    func asks(for action: Action, _ event: SDL_Event) -> Bool {
        event.type == SDL_KEYDOWN.rawValue && event.key.repeat == 0 && event.key.keysym.sym == bound[action]
    }

    /// What a key asks of a menu: the arrows, and what flies.
    func menuCommand(_ event: SDL_Event) -> Command? {
        guard event.type == SDL_KEYDOWN.rawValue else { return nil }
        switch event.key.keysym.sym {
        case Keys.up, bound[.up]: return .up
        case Keys.down, bound[.down]: return .down
        case Keys.left, bound[.left]: return .left
        case Keys.right, bound[.right]: return .right
        default: return asks(for: .pause, event) ? .pause : nil
        }
    }

    /// What the player wants of the ship now.
    func intent(_ world: World, ship: Int) -> Intent {
        func isHeld(_ action: Action, _ arrow: Int32) -> Double {
            held.contains(arrow) || held.contains(bound[action]!) ? 1 : 0
        }
        var intent = Intent(
            thrust: Vector(
                isHeld(.right, Keys.right) - isHeld(.left, Keys.left), isHeld(.down, Keys.down) - isHeld(.up, Keys.up)))
        intent.target = mouse
        intent.fires = mouseFires
        if held.contains(bound[.fire]!) {
            // Without a mouse the gunner picks the target.
            intent.target = BotPilot.decide(world, ship: ship).target ?? mouse
            intent.fires = true
        }
        if world.ships.indices.contains(ship) { gamepads.add(to: &intent, world, ship: ship) }
        return intent
    }
}

private enum Keys {
    static let escape = Int32(SDLK_ESCAPE.rawValue)
    static let enter = Int32(SDLK_RETURN.rawValue)
    static let keypadEnter = Int32(bitPattern: UInt32(SDLK_KP_ENTER.rawValue))
    static let left = Int32(bitPattern: UInt32(SDLK_LEFT.rawValue))
    static let right = Int32(bitPattern: UInt32(SDLK_RIGHT.rawValue))
    static let up = Int32(bitPattern: UInt32(SDLK_UP.rawValue))
    static let down = Int32(bitPattern: UInt32(SDLK_DOWN.rawValue))
}
