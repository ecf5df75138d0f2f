// SPDX-License-Identifier: Apache-2.0
// Activity: the activities and figures that a trace or a watchdog names. Activities of the UI thread lie inside of each
//           other.

package enum Activity: UInt8, Sendable {
    // What contains other activities of the UI thread.
    case frame, tick, pass
    case inputPhase, fixedUpdatePhase, updatePhase, lateUpdatePhase, drawPhase
    // Pieces of the loop's work.
    case callback, timer, post, descriptor, job
    // The host's own code.
    case events, fixedUpdate, update, draw
    // The UI thread sleeps in a wait of ours.
    case sleep
    // Of other threads.
    case poll, posting
    // Who has the turn; see `PollTurn`.
    case turnOfUIThread, turnOfBackend
    case scene
    // Points in time.
    case hint, wake, clockPaused, clockGoesOn, lostTask, lostHandler
    /// From a post to its run.
    case flow
    // Figures.
    case carriedOver, timers, descriptors, reports, budgetLeft

    init(_ phase: FramePhase) {
        self =
            switch phase {
            case .input: .inputPhase
            case .fixedUpdate: .fixedUpdatePhase
            case .update: .updatePhase
            case .lateUpdate: .lateUpdatePhase
            case .draw: .drawPhase
            }
    }

    init(_ kind: RecordedWork.Kind) {
        self =
            switch kind {
            case .callback: .callback
            case .timer: .timer
            case .post: .post
            case .descriptor: .descriptor
            case .task: .job
            }
    }

    /// One of the loop's pieces of work, which a tick or a phase runs one after the other.
    var isPiece: Bool { rawValue >= Self.callback.rawValue && rawValue <= Self.job.rawValue }
    /// Code of the user, whose time the watchdog watches.
    var isWatched: Bool { rawValue >= Self.callback.rawValue && rawValue <= Self.draw.rawValue }

    /// In words.
    var title: StaticString {
        switch self {
        case .frame: "frame"
        case .tick: "tick"
        case .pass: "pass"
        case .inputPhase: "input phase"
        case .fixedUpdatePhase: "fixed update phase"
        case .updatePhase: "update phase"
        case .lateUpdatePhase: "late update phase"
        case .drawPhase: "draw phase"
        case .callback: "callback"
        case .timer: "timer"
        case .post: "post"
        case .descriptor: "descriptor"
        case .job: "job"
        case .events: "events"
        case .fixedUpdate: "fixed update"
        case .update: "update"
        case .draw: "draw"
        case .sleep: "sleep"
        case .poll: "sleep in epoll"
        case .posting: "posting"
        case .turnOfUIThread: "UI thread"
        case .turnOfBackend: "backend thread"
        case .scene: "scene"
        case .hint: "hint"
        case .wake: "wake"
        case .clockPaused: "game clock paused"
        case .clockGoesOn: "game clock goes on"
        case .lostTask: "lost task"
        case .lostHandler: "lost handler"
        case .flow: "post to run"
        case .carriedOver: "carried over"
        case .timers: "timers armed"
        case .descriptors: "descriptors watched"
        case .reports: "descriptor reports"
        case .budgetLeft: "budget left (µs)"
        }
    }
}

/// A loop's figures when a tick or a phase has run its work.
struct TickFigures {
    let carriedOver: Int
    let timers: Int
    let descriptors: Int
    let reports: Int
    /// In microseconds, as it is shown.
    let budgetLeft: Int
}

/// An activity that has begun.
struct OpenActivity {
    let activity: Activity
    /// Where it was scheduled, if that is known.
    let site: CallSite
}
