// SPDX-License-Identifier: Apache-2.0
// Settings: what a player has chosen, and keeps from evening to evening.

import Foundation
import SkirmishProtocol
import TandemSDL

/// What a key is for.
nonisolated enum Action: String, Codable, CaseIterable {
    case up, down, left, right, fire, pause, chat

    var words: String {
        switch self {
        case .up: "Fly up"
        case .down: "Fly down"
        case .left: "Fly left"
        case .right: "Fly right"
        case .fire: "Fire"
        case .pause: "Pause"
        case .chat: "Chat"
        }
    }
}

nonisolated struct Settings: Codable, Hashable {
    /// Of the file. A file of a greater one is a newer game's.
    static let version = 1
    static let sizes = [(640, 360), (960, 540), (1280, 720), (1920, 1080), (2560, 1440)]

    var version = Settings.version
    var name = "Player"
    /// 0…10.
    var volume = 7
    var music = 5
    var width = 960
    var height = 540
    var isFullScreen = false
    /// SDL's names of keys.
    var keys: [String: String] = Settings.usualKeys

    static let usualKeys = [
        "up": "W", "down": "S", "left": "A", "right": "D", "fire": "Space", "pause": "P", "chat": "T",
    ]

    func key(_ action: Action) -> String { keys[action.rawValue] ?? Self.usualKeys[action.rawValue]! }

    /// Gives an action another key. Whatever had that key before gets this one's.
    mutating func bind(_ action: Action, to key: String) {
        let old = self.key(action)
        for other in Action.allCases where other != action && self.key(other) == key { keys[other.rawValue] = old }
        keys[action.rawValue] = key
    }

    /// What is wrong with them; `nil`: nothing.
    var fault: String? {
        if !GameProtocol.isName(name) { return "the name \"\(name)\" is not 1 to 16 plain letters" }
        for (what, value) in [("volume", volume), ("music", music)] where !(0...10).contains(value) {
            return "\(what) is \(value); expected 0 to 10"
        }
        if !(320...7680).contains(width) || !(180...4320).contains(height) {
            return "the window is \(width) by \(height); expected 320 by 180 to 7680 by 4320"
        }
        for (action, key) in keys {
            if Action(rawValue: action) == nil { return "\"\(action)\" is nothing that a key can do" }
            if SDL_GetKeyFromName(key) == 0 { return "\"\(key)\" is the name of no key" }
        }
        let used = Action.allCases.map(key)
        return Set(used).count == used.count ? nil : "two actions have the same key"
    }
}
