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

    /// The next key that is pressed; Escape leaves it as it was.
    private func bind(_ action: Action, _ menu: Menu) async throws {
        let hint = menu.hint
        menu.hint = "Press the key for: \(action.words)"
        defer { menu.hint = hint }
        let key = try await stage.guest.nextKey(priority: 10, consuming: true)
        guard key.sym != Int32(SDLK_ESCAPE.rawValue), key.sym != Int32(SDLK_RETURN.rawValue) else { return }
        stage.settings.bind(action, to: String(cString: SDL_GetKeyName(key.sym)))
    }

    private func keep(_ before: Settings) async throws {
        guard stage.settings != before else { return }
        await stage.keepSettings()
    }
}
