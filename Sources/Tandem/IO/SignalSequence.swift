// SPDX-License-Identifier: Apache-2.0
// SignalSequence: the process's signals, as a sequence on the UI thread.
// Idea:   a signalfd in the epoll set, so that no code of ours or yours runs in a signal's context.
// Facts:  a signalfd sees a signal only if every thread blocks it. The UI thread is made to, and ours, SDL's and libdispatch's threads do
//         anyway; a thread that does not is hit once, when a handler makes it block the signal and sends it on.
// Owner:  the UI thread, but for the iteration.
// Breaks: a blocked signal that nobody reads would make Ctrl-C dead; the end of the sequence therefore puts everything back.

import Glibc
import SystemPackage
import TandemCLinux

/// A signal of the operating system's.
public struct Signal: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The system's number.
    public let rawValue: Int32
    /// The signal of that number.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// Ctrl-C: SIGINT.
    public static let interrupt = Signal(rawValue: SIGINT)
    /// A polite request to end: SIGTERM.
    public static let terminate = Signal(rawValue: SIGTERM)
    /// The terminal has gone, or "read your configuration again": SIGHUP.
    public static let hangUp = Signal(rawValue: SIGHUP)
    /// Ctrl-\: SIGQUIT.
    public static let quit = Signal(rawValue: SIGQUIT)
    /// A child process has ended: SIGCHLD.
    public static let child = Signal(rawValue: SIGCHLD)
    /// The terminal's size has changed: SIGWINCH.
    public static let windowChange = Signal(rawValue: SIGWINCH)
    /// For the program's own purposes: SIGUSR1.
    public static let user1 = Signal(rawValue: SIGUSR1)
    /// For the program's own purposes: SIGUSR2.
    public static let user2 = Signal(rawValue: SIGUSR2)

    /// The system's name for it.
    public var description: String { strsignal(rawValue).map { String(cString: $0) } ?? "signal \(rawValue)" }
}

extension GuestLoop {
    /// The signals among `signals` that the process gets from now on, until the sequence and its iterators are let go or the loop closes.
    ///
    /// ```swift
    /// for try await signal in try loop.signals(.interrupt, .terminate) { askWhetherToSave() }
    /// ```
    ///
    /// While it stands, a signal does nothing else: Ctrl-C is no `SDL_QUIT` then, and a second one does not end the process. The same signal that
    /// arrives several times before it is taken counts once. Processes that are spawned meanwhile inherit the block, unless they are given a mask.
    ///
    /// - Throws: `.alreadyRegistered` if another sequence has one of the signals, `.startFailed` without descriptors. Traps on signals that no
    ///   program can wait for (SIGKILL, SIGSTOP, faults).
    public func signals(
        _ signals: Signal..., fileID: StaticString = #fileID, line: UInt = #line
    ) throws(GuestError) -> SignalSequence {
        if isClosed.load(ordering: .acquiring) { throw .closed }
        thread.check("GuestLoop.signals")
        return SignalSequence(source: try SignalSource(signals, CallSite(fileID: fileID, line: line), on: self))
    }
}

/// Signals, as they arrive; each goes to one of the iterators. See ``GuestLoop/signals(_:fileID:line:)``.
public struct SignalSequence: AsyncSequence, Sendable {
    let source: SignalSource

    /// Waits from signal to signal.
    public struct Iterator: AsyncIteratorProtocol {
        let source: SignalSource

        /// The next signal. Throws `CancellationError`, and `.closed` when the loop ends.
        public mutating func next(isolation: isolated (any Actor)?) async throws -> Signal? {
            try await source.next()
        }
    }

    /// Begins with what has arrived and was not taken.
    public func makeAsyncIterator() -> Iterator { Iterator(source: source) }
}

final class SignalSource: Sendable {
    /// A signalfd; the owner does not mind that it is no socket.
    private let descriptor: Socket
    private let held: HeldSignals
    private let site: CallSite

    init(_ signals: [Signal], _ site: CallSite, on loop: GuestLoop) throws(GuestError) {
        held = try HeldSignals(signals, site)
        self.site = site
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal.rawValue) }
        let fd = tandem_signalfd(&set)
        guard fd >= 0 else {
            held.letGo()
            throw GuestError(
                .startFailed, errno: Errno(rawValue: errno),
                "signalfd gave no descriptor; close some, or raise the limit (ulimit -n)")
        }
        descriptor = Socket(taking: fd, on: loop)
        // The loop's end is the sequence's, and comes while the thread is still there.
        loop.onClose.append { [held] in held.letGo() }
    }

    deinit {
        let (loop, held) = (descriptor.loop, held)
        // The mask is the UI thread's. After the loop's close there is nothing left to do.
        if loop.thread.isCurrent { held.letGo() } else { loop.postInternally { held.letGo() } }
    }

    func next() async throws -> Signal {
        try await descriptor.begin(.readable)
        defer { descriptor.end(.readable) }
        while true {
            if let number = try descriptor.attempt("read a signal", { tandem_signalfd_read($0) }) {
                return Signal(rawValue: Int32(number))
            }
            try await descriptor.wait(.readable, site)
        }
    }
}

/// Signals that are held back from everybody but a signalfd, and what was before.
private final class HeldSignals: @unchecked Sendable {
    // Safe: made and let go on the UI thread.
    private let signals: [Signal]
    /// Those that the thread did not block before.
    private var unblocked = sigset_t()
    private var isHeld = true

    private static let lock = Lock()
    // Safe: touched with `lock` held. Handlers are the process's.
    private nonisolated(unsafe) static var holders: [Signal: CallSite] = [:]

    init(_ signals: [Signal], _ site: CallSite) throws(GuestError) {
        for signal in signals {
            precondition(
                (1...64).contains(signal.rawValue)
                    && ![SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT].contains(signal.rawValue),
                "\(signal) (\(signal.rawValue)) is no signal that a program can wait for")
        }
        self.signals = signals
        try Self.claim(signals, site)
        var (ours, before) = (sigset_t(), sigset_t())
        sigemptyset(&ours)
        sigemptyset(&unblocked)
        for signal in signals { sigaddset(&ours, signal.rawValue) }
        // Blocked before the handlers come, which would block it as well and hide what was before.
        pthread_sigmask(SIG_BLOCK, &ours, &before)
        for signal in signals {
            if sigismember(&before, signal.rawValue) == 0 { sigaddset(&unblocked, signal.rawValue) }
            tandem_forward_install(signal.rawValue)
        }
    }

    private static func claim(_ signals: [Signal], _ site: CallSite) throws(GuestError) {
        lock.lock()
        defer { lock.unlock() }
        for signal in signals {
            if let holder = holders[signal] {
                throw GuestError(
                    .alreadyRegistered,
                    "\(signal) is waited for already, since \(holder); end that sequence first, or share it")
            }
        }
        for signal in signals { holders[signal] = site }
    }

    /// UI thread: handlers, then the mask; what has arrived unread goes to the handlers. Where another thread that took the signal was made to
    /// block it, this one takes it from now on.
    func letGo() {
        guard isHeld else { return }
        isHeld = false
        for signal in signals where tandem_forward_restore(signal.rawValue) { sigaddset(&unblocked, signal.rawValue) }
        pthread_sigmask(SIG_UNBLOCK, &unblocked, nil)
        Self.lock.lock()
        for signal in signals { Self.holders[signal] = nil }
        Self.lock.unlock()
    }
}
