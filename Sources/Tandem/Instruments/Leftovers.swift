// SPDX-License-Identifier: Apache-2.0
// Leftovers: what still waits when a loop or a scene ends, for those who look for leaks.
// Idea:   an end cancels what waits, so that a task that was forgotten, and a watch whose handle was let go, are found by nobody. Here they are named
//         before that happens: in the log, and in a trace.
// Owner:  the UI thread, before anything is called off.

import Logging

/// A handler that nobody can cancel any more. Named by numbers: a list of the handles would refer to them.
struct LostWatch: Hashable {
    let fd: Int32
    let direction: IOHandle.Direction
    let site: CallSite
}

extension GuestLoop {
    /// More lines would tell less.
    private static let mostLeftovers = 20

    /// The tasks whose outcome nobody awaits.
    var lostRuns: [any AnyGuestRun] { members.runs.values.filter { !$0.isAwaited } }

    /// The handlers whose handle was let go.
    var lostWatches: [LostWatch] {
        io.registrations.watched.map { LostWatch(fd: $0.fd, direction: $0.direction, site: $0.site) }
            .filter { io.registrations.isUnreferenced($0.fd, $0.direction) }
    }

    /// The loop closes.
    func reportLeftovers() {
        if let trace = instruments.loopTrace {
            for run in lostRuns { trace.mark(.lostTask, run.site) }
            for watch in lostWatches { trace.mark(.lostHandler, watch.site) }
        }
        guard configuration.reportsLeftovers else { return }
        var lines = lostRuns.map { "a task that nobody awaits, started at \($0.site)" }
        lines += lostWatches.map {
            "a handler that nobody can cancel, since its handle was let go: of descriptor \($0.fd), made at \($0.site)"
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
