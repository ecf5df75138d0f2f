// SPDX-License-Identifier: Apache-2.0
// Gamepads: through SDL's game controller interface, plugged and unplugged while the game runs.

import SkirmishRules
import TandemSDL

struct Gamepads {
    /// By the number that SDL gives a device for as long as it is plugged in.
    private var open: [Int32: OpaquePointer] = [:]
    private static let deadZone = 0.22

    var count: Int { open.count }

    /// `true`: it was about a gamepad.
    mutating func take(_ event: SDL_Event) -> Bool {
        switch SDL_EventType(rawValue: event.type) {
        case SDL_CONTROLLERDEVICEADDED:
            // Here `which` is the device's place, and from the opening on its number.
            guard let pad = SDL_GameControllerOpen(event.cdevice.which) else { return true }
            open[SDL_JoystickInstanceID(SDL_GameControllerGetJoystick(pad))] = pad
        case SDL_CONTROLLERDEVICEREMOVED:
            if let pad = open.removeValue(forKey: event.cdevice.which) { SDL_GameControllerClose(pad) }
        case SDL_CONTROLLERBUTTONDOWN, SDL_CONTROLLERBUTTONUP, SDL_CONTROLLERAXISMOTION: break
        default: return false
        }
        return true
    }

    /// The left stick flies, the right one aims, the right trigger or shoulder fires.
    func add(to intent: inout Intent, _ world: World, ship: Int) {
        for pad in open.values {
            let flight = stick(pad, SDL_CONTROLLER_AXIS_LEFTX, SDL_CONTROLLER_AXIS_LEFTY)
            if flight != .zero { intent.thrust = flight }
            let aim = stick(pad, SDL_CONTROLLER_AXIS_RIGHTX, SDL_CONTROLLER_AXIS_RIGHTY)
            if aim != .zero { intent.target = world.ships[ship].position + aim.unit * 180 }
            let fires =
                SDL_GameControllerGetAxis(pad, SDL_CONTROLLER_AXIS_TRIGGERRIGHT) > 8000
                || SDL_GameControllerGetButton(pad, SDL_CONTROLLER_BUTTON_RIGHTSHOULDER) != 0
            guard fires else { continue }
            intent.fires = true
            // Without the right stick the gunner picks the target, as for the keys.
            if aim == .zero { intent.target = BotPilot.decide(world, ship: ship).target ?? intent.target }
        }
    }

    fileprivate static let pushed: Int16 = 20_000
    fileprivate static let released: Int16 = 12_000

    private func stick(_ pad: OpaquePointer, _ x: SDL_GameControllerAxis, _ y: SDL_GameControllerAxis) -> Vector {
        let place = Vector(
            Double(SDL_GameControllerGetAxis(pad, x)) / 32_767, Double(SDL_GameControllerGetAxis(pad, y)) / 32_767)
        return place.length < Self.deadZone ? .zero : place.limited(to: 1)
    }
}

/// The left stick in a menu: a push is one step, until the stick has come back.
struct MenuStick {
    /// Where it was pushed last.
    private(set) var direction: Command?

    /// Whether this event is the beginning of a push.
    mutating func isDeflected(by event: SDL_Event) -> Bool {
        guard event.type == SDL_CONTROLLERAXISMOTION.rawValue else { return false }
        let value = event.caxis.value
        let isUpright = event.caxis.axis == UInt8(SDL_CONTROLLER_AXIS_LEFTY.rawValue)
        guard isUpright || event.caxis.axis == UInt8(SDL_CONTROLLER_AXIS_LEFTX.rawValue) else { return false }
        let isOfThisAxis =
            isUpright ? direction == .up || direction == .down : direction == .left || direction == .right
        if value.magnitude < Gamepads.released.magnitude {
            if isOfThisAxis { direction = nil }
            return false
        }
        guard value.magnitude > Gamepads.pushed.magnitude, direction == nil else { return false }
        direction = isUpright ? (value < 0 ? .up : .down) : (value < 0 ? .left : .right)
        return true
    }
}
