// SPDX-License-Identifier: Apache-2.0
// FrameHandlers: closures that run in each frame.
// Idea:   a handler is a call, and no task has to be suspended and resumed for it. A task's wait for a frame costs some
//         2,500 instructions in Swift's runtime alone.
// Owner:  the UI thread.

import TandemCLinux

/// A closure that runs in each frame, made by ``GuestLoop/everyFrame(in:fileID:line:_:)``. It runs until it is
/// cancelled or the loop closes.
public final class FrameHandle {
    let phase: FramePhase
    let site: CallSite
    fileprivate private(set) var body: ((Frame) throws -> Void)?
    private weak var handlers: FrameHandlers?

    fileprivate init(
        _ phase: FramePhase, _ site: CallSite, _ handlers: FrameHandlers, _ body: @escaping (Frame) throws -> Void
    ) {
        self.phase = phase
        self.site = site
        self.handlers = handlers
        self.body = body
    }

    /// Done from the start.
    fileprivate init(_ phase: FramePhase, _ site: CallSite) {
        self.phase = phase
        self.site = site
    }

    /// True once it does not run any more. UI thread.
    public var isDone: Bool { body == nil }

    /// Cancels it. UI thread. It does not run again, not even in the phase that runs now. Harmless when repeated, or
    /// when the loop is gone. O(n).
    public func cancel() {
        let released = end()
        handlers?.remove(self)
        // What the closure captured is released here, while nothing of the loop is being changed.
        withExtendedLifetime(released) {}
    }

    fileprivate func end() -> ((Frame) throws -> Void)? {
        defer { body = nil }
        return body
    }
}

// It may only be used on the UI thread.
@available(*, unavailable)
extension FrameHandle: Sendable {}

/// The handlers of each phase, in the order in which they were added.
final class FrameHandlers {
    // Exclusivity is not checked: no method calls user code while it changes one.
    @exclusivity(unchecked) private var handlersOfPhase = [[FrameHandle]](
        repeating: [], count: FramePhase.allCases.count)
    @exclusivity(unchecked) private(set) var count = 0

    subscript(phase: FramePhase) -> [FrameHandle] { handlersOfPhase[phase.rawValue] }

    /// All of them, by phase.
    var all: [FrameHandle] { handlersOfPhase.flatMap { $0 } }

    func add(_ phase: FramePhase, _ site: CallSite, _ body: @escaping (Frame) throws -> Void) -> FrameHandle {
        let handle = FrameHandle(phase, site, self, body)
        handlersOfPhase[phase.rawValue].append(handle)
        count += 1
        return handle
    }

    fileprivate func remove(_ handle: FrameHandle) {
        guard let index = handlersOfPhase[handle.phase.rawValue].firstIndex(where: { $0 === handle }) else { return }
        handlersOfPhase[handle.phase.rawValue].remove(at: index)
        count -= 1
    }

    /// Ends all of them. Returns their closures, for the caller to release.
    func removeAll() -> [(Frame) throws -> Void] {
        let ended = all
        handlersOfPhase = [[FrameHandle]](repeating: [], count: FramePhase.allCases.count)
        count = 0
        return ended.compactMap { $0.end() }
    }
}

extension GuestLoop {
    /// Runs `body` in each frame, in `phase`, until the handle is cancelled or the loop closes.
    ///
    /// For code that runs in every frame and awaits nothing: it costs a small part of what a task costs that waits for
    /// each frame. Handlers run in the order in which they were added, before the tasks that wait for the phase. An
    /// error that `body` throws goes to the error handler; `body` still runs in the next frame.
    ///
    /// ```swift
    /// let motion = loop.everyFrame { frame in ship.move(by: frame.delta) }
    /// ```
    ///
    /// UI thread. On a closed loop `body` never runs, and the log says so. O(1).
    @discardableResult
    public func everyFrame(
        in phase: FramePhase = .update, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: @escaping (Frame) throws -> Void
    ) -> FrameHandle {
        let site = CallSite(fileID: fileID, line: line)
        guard admission.admitsCallback("GuestLoop.everyFrame", site), admission.state == .open else {
            return FrameHandle(phase, site)
        }
        return members.frameQueues(of: self).handlers.add(phase, site, body)
    }

    /// Calls the handlers of a phase. One that an earlier handler has cancelled does not run; one that was added
    /// meanwhile runs in the next frame.
    func runHandlers(_ handlers: [FrameHandle], _ frame: Frame) {
        for handle in handlers {
            guard let body = handle.body else { continue }
            instruments.willRun(.callback, handle.site, readyFor: 0)
            instruments.countFrameHandler()
            call({ try body(frame) }, handle.site)
            if instruments.isObserved { instruments.endPiece(at: tandem_cycles()) }
        }
    }
}
