// SPDX-License-Identifier: Apache-2.0
// Artist+Overlay: what lies over every screen: menus, what is being written, and notices.

import Foundation
import SkirmishProtocol
import SkirmishRules

extension Artist {
    func drawOverlay(_ stage: Stage, time: Double) {
        if let menu = stage.menu { draw(menu, time) }
        if case .match = stage.screen, stage.menu == nil, stage.showsChat, let party = stage.party {
            drawChat(party, lines: 4, left: 18, bottom: 450)
        }
        if let (prompt, line) = stage.typed { drawWriting(prompt, line, time) }
        if let notice = stage.notice { drawNotice(notice) }
    }

    private func draw(_ menu: Menu, _ time: Double) {
        if !menu.title.isEmpty {
            shade(0.72)
            text.drawShining(
                menu.title, at: Vector(480, menu.isSmall ? 66 : 130), size: menu.isSmall ? 2.8 : 3.2, .blue)
        }
        let size = menu.isSmall ? 1.15 : 1.6
        for (index, item) in menu.items.enumerated() {
            let place = menu.place(of: index)
            let isSelected = index == menu.selected
            let tint = isSelected ? Tint.yellow : .text
            if isSelected {
                glow(place + Vector(0, 9 * size), 620, Tint(0x3A3512).dimmed(0.7 + 0.3 * sin(time * 4)), high: 0.09)
            }
            guard let value = item.value else {
                text.draw(item.label, at: place, size: size, tint, .centre)
                continue
            }
            text.draw(item.label, at: place - Vector(250, 0), size: size, tint)
            text.draw(value, at: place + Vector(250, 0), size: size, isSelected ? .yellow : .cyan, .right)
        }
        if !menu.hint.isEmpty {
            let below = menu.place(of: menu.items.count) + Vector(0, 8)
            text.draw(menu.hint, at: below, size: 0.95, .quiet, .centre)
        }
    }

    private func drawWriting(_ prompt: String, _ line: String, _ time: Double) {
        box(Vector(90, 482), 780, 44, Tint(0x0A1424), isFilled: true, opacity: 0.94)
        box(Vector(90, 482), 780, 44, Tint(0x4A6A96), isFilled: false)
        let cursor = Int(time * 2) % 2 == 0 ? "_" : " "
        text.draw(prompt, at: Vector(104, 488), size: 0.75, .quiet)
        // The end of a long line is what is being written.
        text.draw(String((line + cursor).suffix(62)), at: Vector(104, 503), size: 1, .text)
    }

    private func drawNotice(_ notice: String) {
        let lines = wrapped(notice, width: 74)
        let height = Double(lines.count) * 20 + 12
        box(Vector(20, 4), 920, height, Tint(0x2A0B14), isFilled: true, opacity: 0.92)
        box(Vector(20, 4), 920, height, .red, isFilled: false, opacity: 0.7)
        for (index, line) in lines.enumerated() {
            text.draw(line, at: Vector(480, 10 + Double(index) * 20), size: 1, .text, .centre)
        }
    }

    /// Lines of at most `width` characters, cut at blanks where there are some. At most four.
    private func wrapped(_ words: String, width: Int) -> [String] {
        var lines = [""]
        for word in words.split(separator: " ") {
            for piece in stride(from: 0, to: word.count, by: width).map({ word.dropFirst($0).prefix(width) }) {
                if lines[lines.count - 1].count + piece.count + 1 > width { lines.append("") }
                lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + piece
            }
        }
        return Array(lines.prefix(4))
    }

    func drawChat(_ party: any Party, lines: Int, left: Double, bottom: Double) {
        for (index, line) in party.chat.suffix(lines).reversed().enumerated() {
            let words = line.seat == HostMessage.host ? line.text : "\(line.name): \(line.text)"
            let tint = line.seat == HostMessage.host ? Tint.quiet : Tint.seat(line.seat)
            text.draw(
                String(words.prefix(84)), at: Vector(left, bottom - Double(index) * 19), size: 0.85, tint,
                opacity: 1 - 0.12 * Double(index))
        }
    }
}
