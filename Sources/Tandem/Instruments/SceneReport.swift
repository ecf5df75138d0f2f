// SPDX-License-Identifier: Apache-2.0
// SceneReport: the scenes of a loop as a tree: the answer to "which parts of my game are alive?".
// Owner:  the UI thread makes it on demand.

/// A scene that has not ended: where it was begun, and what stands in it.
public struct SceneReport: Sendable, Hashable, CustomStringConvertible {
    /// Where it was begun.
    public let site: CallSite
    /// In how many scenes it lies: 0 for an outermost one.
    public let depth: Int
    /// Its end has begun, and it waits for its tasks.
    public let isEnding: Bool
    /// Its own clock's time.
    public let elapsed: Duration
    /// Its own clock is paused.
    public let isPaused: Bool
    /// Tasks that have not ended, its body included.
    public let tasks: Int
    /// Callbacks and timers that are to run.
    public let callbacks: Int
    /// Handlers of descriptors.
    public let handlers: Int

    /// One line, indented by the depth.
    public var description: String {
        let state = isEnding ? ", ending" : isPaused ? ", paused" : ""
        return String(repeating: "  ", count: depth)
            + "scene begun at \(site), for \(elapsed.inWords)\(state): \(tasks) tasks, \(callbacks) callbacks, \(handlers) handlers"
    }
}

extension GuestLoop {
    /// The scenes that have not ended: each is followed by those that lie in it, the oldest first. UI thread. O(n²); for messages and tools.
    public var scenes: [SceneReport] {
        thread.check("GuestLoop.scenes")
        let scenes = members.scenes
        // An inner scene may outlive the outer one. It is an outermost one then.
        let alive = Set(scenes.map { ObjectIdentifier($0) })
        var reports: [SceneReport] = []
        func add(in parent: GuestScene?, depth: Int) {
            for scene in scenes where scene.parent(among: alive) === parent {
                reports.append(scene.report(depth: depth))
                add(in: scene, depth: depth + 1)
            }
        }
        add(in: nil, depth: 0)
        return reports
    }
}

extension GuestScene {
    fileprivate func parent(among scenes: Set<ObjectIdentifier>) -> GuestScene? {
        outer.flatMap { scenes.contains(ObjectIdentifier($0)) ? $0 : nil }
    }

    fileprivate func report(depth: Int) -> SceneReport {
        SceneReport(
            site: site, depth: depth, isEnding: isEnding, elapsed: clock.now.elapsed, isPaused: clock.isPaused,
            tasks: taskCount, callbacks: callbacks.live.count, handlers: watches.live.count)
    }
}
