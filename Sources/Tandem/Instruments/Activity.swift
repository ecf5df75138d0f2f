// SPDX-License-Identifier: Apache-2.0
// Activity: what a trace and a watchdog can name: what the UI thread does, one thing inside of another; what other threads do; and figures.

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
    case hint, wake, clockPaused, clockGoesOn
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
    /// Code of the user's, which ought to end soon.
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
    let budgetLeft: Nanoseconds
}

/// Who is told what the UI thread does: that something begins, and that it has ended. On the UI thread.
protocol LoopObserver: AnyObject {
    func began(_ activity: Activity, _ site: CallSite?)
    func ended(_ activity: Activity)
    /// Before the end of the activity that is told next.
    func counted(_ figures: TickFigures)
    /// The loop has closed; nothing more is told.
    func loopEnded()
}
