// SPDX-License-Identifier: Apache-2.0
// Snapshot: what the page shows, as JSON. Times are in milliseconds.
// Owner:  a value, made on the loop's thread.

import Foundation
import Tandem

struct Snapshot: Codable, Sendable {
    struct Frame: Codable, Sendable {
        let milliseconds: Double
        let ticks: Double
        let callbacks: Int
        let jobs: Int
        let isOverBudget: Bool
    }

    struct Wait: Codable, Sendable {
        let kind: String
        let reason: String
        let site: String?
        /// For how long it has waited; of a run, has run.
        let waited: Double?
        /// In how long it is due.
        let due: Double?
        let descriptor: Int32?
        let isLost: Bool
    }

    struct Scene: Codable, Sendable {
        let site: String
        let depth: Int
        let elapsed: Double
        let isPaused: Bool
        let isEnding: Bool
        let tasks: Int
        let callbacks: Int
        let handlers: Int
    }

    struct Slow: Codable, Sendable {
        /// `nil`: the loop was not ticked.
        let activity: String?
        let site: String?
        let milliseconds: Double
        let ago: Double
        let stack: [String]
    }

    struct Figures: Codable, Sendable {
        let ticks, emptyTicks, callbacks, jobs, callbackErrors, timers, descriptors, posts: Int
        let budgetOverruns, hintsPosted, hintsDropped, wakePipeWrites, turnsPassed, hotPolls: Int
        let longestCallback, readyToRunMedian, readyToRun99, readyToRunLongest: Double
    }

    /// More would be read by nobody.
    private static let mostWaits = 500

    let program: String
    let process: Int32
    let seconds: Double
    let figures: Figures
    let frames: [Frame]
    let waiting: [Wait]
    /// What `waiting` leaves out.
    let furtherWaits: Int
    let scenes: [Scene]
    let slow: [Slow]

    init(_ loop: GuestLoop, _ history: FrameHistory, since start: ContinuousClock.Instant) {
        program = ProcessInfo.processInfo.processName
        process = ProcessInfo.processInfo.processIdentifier
        seconds = start.duration(to: .now) / .seconds(1)
        figures = Figures(loop.statistics)
        frames = (0..<history.count).map { Frame(history[$0]) }
        let now = loop.now
        // The inspector's own server waits, too.
        let waits = loop.waiting.filter {
            let file = $0.site?.fileID ?? ""
            return !file.hasPrefix("TandemInspector/") && !file.hasPrefix("TandemFlyingFox/")
        }
        waiting = waits.prefix(Self.mostWaits).map { Wait($0, at: now) }
        furtherWaits = max(0, waits.count - Self.mostWaits)
        scenes = loop.scenes.map(Scene.init)
        slow = loop.watchdogReports.reversed().map(Slow.init)
    }
}

extension Duration {
    fileprivate var milliseconds: Double { self / .milliseconds(1) }
}

extension Snapshot.Frame {
    fileprivate init(_ entry: FrameHistory.Entry) {
        milliseconds = entry.frameTime.milliseconds
        ticks = entry.timeInTicks.milliseconds
        (callbacks, jobs, isOverBudget) = (entry.callbacks, entry.jobs, entry.isOverBudget)
    }
}

extension Snapshot.Wait {
    fileprivate init(_ wait: WaitingReport, at now: ContinuousClock.Instant) {
        (kind, reason, isLost) = (wait.kind.rawValue, wait.reason, wait.isLost)
        site = wait.site.map { "\($0)" }
        waited = wait.waited?.milliseconds
        due = wait.deadline.map { now.duration(to: $0).milliseconds }
        descriptor = wait.descriptor?.rawValue
    }
}

extension Snapshot.Scene {
    fileprivate init(_ scene: SceneReport) {
        (site, depth, elapsed) = ("\(scene.site)", scene.depth, scene.elapsed.milliseconds)
        (isPaused, isEnding) = (scene.isPaused, scene.isEnding)
        (tasks, callbacks, handlers) = (scene.tasks, scene.callbacks, scene.handlers)
    }
}

extension Snapshot.Slow {
    fileprivate init(_ report: WatchdogReport) {
        (activity, site, stack) = (report.activity, report.site.map { "\($0)" }, report.stack)
        milliseconds = report.duration.milliseconds
        ago = report.time.duration(to: .now).milliseconds
    }
}

extension Snapshot.Figures {
    fileprivate init(_ statistics: Statistics) {
        (ticks, emptyTicks) = (statistics.ticks, statistics.emptyTicks)
        (callbacks, jobs, callbackErrors) = (statistics.callbacks, statistics.jobs, statistics.callbackErrors)
        (timers, descriptors, posts) = (statistics.timers, statistics.registrations, statistics.posts)
        (budgetOverruns, hintsPosted, hintsDropped) = (
            statistics.budgetOverruns, statistics.hintsPosted, statistics.hintsDropped
        )
        (wakePipeWrites, turnsPassed, hotPolls) = (
            statistics.wakePipeWrites, statistics.turnsPassed, statistics.hotPolls
        )
        longestCallback = statistics.longestCallback.milliseconds
        readyToRunMedian = statistics.latency.p50.milliseconds
        readyToRun99 = statistics.latency.p99.milliseconds
        readyToRunLongest = statistics.latency.max.milliseconds
    }
}
