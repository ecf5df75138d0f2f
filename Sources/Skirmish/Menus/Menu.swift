// SPDX-License-Identifier: Apache-2.0
// Menu: lines to choose from, by keys, mouse or gamepad.

import SkirmishRules
import Tandem
import TandemSDL

final class Menu {
    struct Item {
        var label: String
        /// What stands beside it, and changes with left and right.
        var value: String?
    }

    let title: String
    var items: [Item]
    var selected = 0 { didSet { hasChosen = true } }
    /// Somebody has chosen a line. Until then it is the first one.
    private var hasChosen = false
    /// A quiet line under it.
    var hint = ""
    /// A gamepad's left stick moves the choice once for each time that it is pushed.
    var stick = MenuStick()
    /// Where the first line stands.
    let top: Double
    let isSmall: Bool

    /// What ``Stage/choose(_:adjust:)`` gives when the pause key is pressed again.
    static let resumed = -1

    init(_ title: String, _ items: [Item], top: Double = 210, isSmall: Bool = false) {
        (self.title, self.items, self.top, self.isSmall) = (title, items, top, isSmall)
    }

    convenience init(_ title: String, _ labels: [String], top: Double = 210) {
        self.init(title, labels.map { Item(label: $0) }, top: top)
    }

    var distance: Double { isSmall ? 26 : 38 }

    func place(of index: Int) -> Vector { Vector(480, top + Double(index) * distance) }

    /// The line under the pointer.
    func line(at place: Vector) -> Int? {
        guard abs(place.x - 480) < 300 else { return nil }
        let index = Int(((place.y - top + distance * 0.2) / distance).rounded(.down))
        return items.indices.contains(index) ? index : nil
    }

    /// Shows other lines. Who has chosen one keeps it: `place` says where the line of an index stands now, `nil` if it has gone.
    func show(_ lines: [Item], _ place: (Int) -> Int?) {
        items = lines
        if hasChosen { selected = max(0, min(place(selected) ?? selected, lines.count - 1)) }
    }

    func move(_ by: Int) { selected = (selected + by + items.count) % max(1, items.count) }
}

extension Stage {
    /// Shows a menu until a line is chosen: its index. `nil`: the player goes back.
    ///
    /// - Parameter adjust: Left and right on a line.
    func choose(_ menu: Menu, adjust: @escaping (Int, Int) -> Void = { _, _ in }) async throws -> Int? {
        let before = self.menu
        self.menu = menu
        defer { self.menu = before }
        while true {
            let event = try await guest.nextEvent { event in
                event.type == SDL_MOUSEMOTION.rawValue || Command(event) != nil
                    || self.input.menuCommand(event) != nil || menu.stick.isDeflected(by: event)
            }
            if event.type == SDL_MOUSEMOTION.rawValue {
                let line = menu.line(at: Vector(Double(event.motion.x), Double(event.motion.y)))
                if let line, line != menu.selected {
                    menu.selected = line
                    sound?.play(.move)
                }
                continue
            }
            let isAxis = event.type == SDL_CONTROLLERAXISMOTION.rawValue
            switch isAxis ? menu.stick.direction : Command(event) ?? input.menuCommand(event) {
            case .up: menu.move(-1)
            case .down: menu.move(1)
            case .left: adjust(menu.selected, -1)
            case .right: adjust(menu.selected, 1)
            case .start:
                if event.type == SDL_MOUSEBUTTONDOWN.rawValue {
                    let place = Vector(Double(event.button.x), Double(event.button.y))
                    guard let line = menu.line(at: place) else { continue }
                    menu.selected = line
                }
                sound?.play(.choose)
                return menu.selected
            case .leave: return nil
            case .pause where menu.title == "Paused" || menu.title == "The match goes on": return Menu.resumed
            default: continue
            }
            sound?.play(.move)
        }
    }

    /// Lets the player write a line of at most `limit` characters, at the bottom of the screen. `nil`: given up, by Escape, a gamepad's B
    /// or the right mouse button; a gamepad's A takes what is there.
    func readLine(_ prompt: String, _ start: String = "", limit: Int) async throws -> String? {
        typed = (prompt, start)
        SDL_StartTextInput()
        defer {
            typed = nil
            SDL_StopTextInput()
        }
        // Before everybody else: what is written does not fly the ship.
        for await event in guest.events(priority: 10, consuming: true, matching: Self.isWriting) {
            var line = typed!.line
            switch SDL_EventType(rawValue: event.type) {
            case SDL_TEXTINPUT:
                let text = withUnsafeBytes(of: event.text.text) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }.filter { (32..<127).contains($0) }, as: UTF8.self)
                }
                line = String((line + text).prefix(limit))
            case SDL_KEYDOWN where event.key.keysym.sym == Int32(SDLK_BACKSPACE.rawValue): _ = line.popLast()
            case SDL_KEYDOWN, SDL_CONTROLLERBUTTONDOWN:
                if Command(event) == .leave { return nil }
                if Command(event) == .start { return line }
            case SDL_MOUSEBUTTONDOWN where event.button.button == UInt8(SDL_BUTTON_RIGHT): return nil
            default: break
            }
            typed = (prompt, line)
        }
        throw CancellationError()
    }

    private static func isWriting(_ event: SDL_Event) -> Bool {
        [SDL_TEXTINPUT, SDL_KEYDOWN, SDL_CONTROLLERBUTTONDOWN, SDL_MOUSEBUTTONDOWN].contains {
            $0.rawValue == event.type
        }
    }
}
