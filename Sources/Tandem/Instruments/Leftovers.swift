// SPDX-License-Identifier: Apache-2.0
// Leftovers: what still waits when a loop or a scene ends, for those who look for leaks.
// Idea:   an end cancels what waits, so that a task that was forgotten, and a watch whose handle was let go, are found by nobody. Here they are named
//         before that happens.
// Owner:  the UI thread, before anything is called off.

import Logging

extension GuestLoop {
    /// More lines would tell less.
    private static let mostLeftovers = 20

    /// The loop closes.
    func reportLeftovers() {
        guard configuration.reportsLeftovers else { return }
        var lines: [String] = []
        for run in members.runs.values where !run.isAwaited {
            lines.append("a task that nobody awaits, started at \(run.site)")
        }
        // By numbers: a list of the handles would refer to them.
        for (fd, direction, site) in io.registrations.watched where io.registrations.isLetGo(fd, direction) {
            lines.append(
                "a handler that nobody can cancel, since its handle was let go: of descriptor \(fd), made at \(site)")
        }
        let lost = lines.count
        lines += waiting.filter { $0.kind != .ready }.map(\.description)
        tellLeftovers("the loop made at \(site) closes", lines, lost: lost)
    }

    fileprivate func tellLeftovers(_ end: String, _ lines: [String], lost: Int) {
        guard !lines.isEmpty else { return }
        var text = "\(end), and \(lines.count - lost) waits end with it; \(lost) of them are lost"
        for line in lines.prefix(Self.mostLeftovers) { text += "\n    \(line)" }
        if lines.count > Self.mostLeftovers { text += "\n    and \(lines.count - Self.mostLeftovers) more" }
        configuration.logger.notice("\(text)")
    }
}

extension GuestScene {
    /// The scene begins to end. The body's task is the scene's own, and is awaited by it.
    func reportLeftovers(_ tasks: [any AnyGuestRun]) {
        guard loop.configuration.reportsLeftovers else { return }
        var lines = tasks.filter { $0.site != site }.map { "a task, started at \($0.site)" }
        lines += callbacks.live.map { "a callback, scheduled at \(loop.callbacks.record($0.slot).pointee.site)" }
        lines += watches.live.map { "a handler of descriptor \($0.fd), made at \($0.site)" }
        loop.tellLeftovers("the scene begun at \(site) ends", lines, lost: 0)
    }
}
