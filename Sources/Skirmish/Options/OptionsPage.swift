// SPDX-License-Identifier: Apache-2.0
// OptionsPage: sound, picture, keys and name. Each change shows at once, and is kept when the page is left.

import SkirmishProtocol
import Tandem
import TandemSDL

struct OptionsPage {
    let stage: Stage

    private enum Line {
        case name, volume, music, size, fullScreen, key(Action), back
        static let all: [Line] = [.name, .volume, .music, .size, .fullScreen] + Action.allCases.map(Line.key) + [.back]
    }

    func run() async throws {
        let before = stage.settings
        let menu = Menu("Options", items, top: 148, isSmall: true)
        menu.hint = "Left and right change, Enter chooses"
        while let index = try await stage.choose(
            menu,
            adjust: { line, by in
                adjust(Line.all[line], by)
                menu.items = items
            })
        {
            switch Line.all[index] {
            case .name:
                let name = try await stage.readLine("Name", stage.settings.name, limit: GameProtocol.mostNameLength)
                if let name { take(name) }
            case .key(let action): try await bind(action, menu)
            case .back: return try await keep(before)
            case let line: adjust(line, 1)
            }
            menu.items = items
        }
        try await keep(before)
    }

    private var items: [Menu.Item] {
        let settings = stage.settings
        return Line.all.map { line in
            switch line {
            case .name: Menu.Item(label: "Name", value: settings.name)
            case .volume: Menu.Item(label: "Volume", value: "\(settings.volume)")
            case .music: Menu.Item(label: "Music", value: "\(settings.music)")
            case .size: Menu.Item(label: "Window", value: "\(settings.width) x \(settings.height)")
            case .fullScreen: Menu.Item(label: "Full screen", value: settings.isFullScreen ? "Yes" : "No")
            case .key(let action): Menu.Item(label: action.words, value: settings.key(action))
            case .back: Menu.Item(label: "Back")
            }
        }
    }

    private func adjust(_ line: Line, _ by: Int) {
        var settings = stage.settings
        switch line {
        case .volume: settings.volume = min(max(settings.volume + by, 0), 10)
        case .music: settings.music = min(max(settings.music + by, 0), 10)
        case .size:
            let sizes = Settings.sizes
            let now = sizes.firstIndex { $0 == (settings.width, settings.height) } ?? 1
            (settings.width, settings.height) = sizes[(now + by + sizes.count) % sizes.count]
        case .fullScreen: settings.isFullScreen.toggle()
        case .name, .key, .back: return
        }
        stage.settings = settings
    }

    private func take(_ name: String) {
        if GameProtocol.isName(name) {
            stage.settings.name = name
        } else {
            stage.notice = "A name has 1 to 16 plain letters"
        }
    }

    /// The next key that is pressed. Escape, a mouse button or a gamepad's button leaves it as it was.
    private func bind(_ action: Action, _ menu: Menu) async throws {
        let hint = menu.hint
        menu.hint = "Press the key for: \(action.words)"
        defer { menu.hint = hint }
        let event = try await stage.guest.nextEvent(priority: 10, consuming: true) { event in
            (event.type == SDL_KEYDOWN.rawValue && event.key.repeat == 0) || event.type == SDL_MOUSEBUTTONDOWN.rawValue
                || event.type == SDL_CONTROLLERBUTTONDOWN.rawValue
        }
        // Escape and Enter work in every menu, and F3 and F11 everywhere.
        let reserved = [SDLK_ESCAPE, SDLK_RETURN, SDLK_KP_ENTER, SDLK_F3, SDLK_F11].map {
            Int32(bitPattern: UInt32($0.rawValue))
        }
        guard event.type == SDL_KEYDOWN.rawValue, !reserved.contains(event.key.keysym.sym) else { return }
        let name = String(cString: SDL_GetKeyName(event.key.keysym.sym))
        guard SDL_GetKeyFromName(name) == event.key.keysym.sym else {
            stage.notice = "That key has no name that could be kept; take another one"
            return
        }
        stage.settings.bind(action, to: name)
    }

    private func keep(_ before: Settings) async throws {
        guard stage.settings != before else { return }
        await stage.keepSettings()
    }
}
