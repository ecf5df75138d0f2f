// SPDX-License-Identifier: Apache-2.0
// SignalSequence: the process's signals, as a sequence on the UI thread.
// Idea:   a signal handler of Tandem notes the signal and writes an eventfd in the epoll set. No user code runs in the
//         context of a signal.
// Facts:  `exec` resets handlers to the default, and keeps the mask. If a signal were blocked here, for a signalfd, it
//         would be blocked in every child process, and could not end it. So nothing is blocked. If the UI thread itself
//         blocks one of the signals, it is unblocked as long as the sequence exists.
// Owner:  the UI thread. The iteration and the end may happen on another thread.

import Glibc
import Synchronization
import SystemPackage
import TandemCLinux

/// A signal of the operating system's.
public struct GuestSignal: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The system's number.
    public let rawValue: Int32
    /// The signal of that number.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// Ctrl-C: SIGINT.
    public static let interrupt = GuestSignal(rawValue: SIGINT)
    /// A polite request to end: SIGTERM.
    public static let terminate = GuestSignal(rawValue: SIGTERM)
    /// The terminal has gone, or "read your configuration again": SIGHUP.
    public static let hangUp = GuestSignal(rawValue: SIGHUP)
    /// Ctrl-\: SIGQUIT.
    public static let quit = GuestSignal(rawValue: SIGQUIT)
    /// A child process has ended: SIGCHLD.
    public static let child = GuestSignal(rawValue: SIGCHLD)
    /// The terminal's size has changed: SIGWINCH.
    public static let windowChange = GuestSignal(rawValue: SIGWINCH)
    /// For any purpose of the program: SIGUSR1.
    public static let user1 = GuestSignal(rawValue: SIGUSR1)
    /// For any purpose of the program: SIGUSR2.
    public static let user2 = GuestSignal(rawValue: SIGUSR2)

    /// The system's name for it.
    public var description: String { strsignal(rawValue).map { String(cString: $0) } ?? "signal \(rawValue)" }
}

extension GuestLoop {
    /// The signals among `signals` that the process receives from now on, until the sequence and its iterators are
    /// released or the loop closes.
    ///
    /// ```swift
    /// for try await signal in try loop.signals(.interrupt, .terminate) { askWhetherToSave() }
    /// ```
    ///
    /// As long as the sequence exists, these signals do nothing else: Ctrl-C is no `SDL_QUIT` then, and a second one
    /// does not end the process. If a signal arrives several times before it is taken, it counts once. A signal that
    /// has arrived and was not taken when the sequence ends is dropped, and does not end the process afterwards.
    /// Processes that are started meanwhile are not affected: their signals do what they always do.
    ///
    /// - Throws: `.alreadyRegistered` if another sequence has one of the signals, `.startFailed` without descriptors, or
    ///   if the system refuses a handler. Traps on signals that no program can wait for (SIGKILL, SIGSTOP, faults).
    public func signals(
        _ signals: GuestSignal..., fileID: StaticString = #fileID, line: UInt = #line
    ) throws(GuestError) -> SignalSequence {
        try admission.admit("GuestLoop.signals")
        return SignalSequence(source: try SignalSource(signals, CallSite(fileID: fileID, line: line), on: self))
    }
}

/// Signals, as they arrive. Each is given to one of the iterators. See ``GuestLoop/signals(_:fileID:line:)``.
public struct SignalSequence: AsyncSequence, Sendable {
    let source: SignalSource

    /// Waits for one signal at each call.
    public struct Iterator: AsyncIteratorProtocol {
        let source: SignalSource

        /// The next signal. Throws `CancellationError`, and `.closed` when the loop ends.
        public mutating func next(isolation: isolated (any Actor)?) async throws -> GuestSignal? {
            try await source.next()
        }
    }

    /// The iterator begins with the signals that have arrived and were not taken.
    public func makeAsyncIterator() -> Iterator { Iterator(source: source) }
}

final class SignalSource: Sendable {
    /// An eventfd. `GuestSocket` can own it although it is no socket.
    private let descriptor: GuestSocket
    private let claim: SignalClaim
    private let entry: ClosingActions.Entry
    private let site: CallSite

    init(_ signals: [GuestSignal], _ site: CallSite, on loop: GuestLoop) throws(GuestError) {
        let claim = try SignalClaim(signals, site, loop.thread)
        self.claim = claim
        self.site = site
        descriptor = GuestSocket(taking: claim.descriptor, on: loop)
        entry = loop.closingActions.add { claim.end() }
    }

    deinit {
        // Called before the descriptor is closed with the socket.
        claim.end()
        let (loop, entry) = (descriptor.loop, entry)
        if loop.thread.isCurrent {
            loop.closingActions.remove(entry)
        } else {
            loop.postInternally { loop.closingActions.remove(entry) }
        }
    }

    func next() async throws -> GuestSignal {
        try await descriptor.begin(.readable)
        defer { descriptor.end(.readable) }
        while true {
            if let number = try descriptor.attemptToRead("read a signal", { [claim] _ in claim.take() }) {
                return GuestSignal(rawValue: Int32(number))
            }
            try await descriptor.wait(.readable, site)
        }
    }
}

/// Signals that belong to one sequence, and to no other meanwhile.
private final class SignalClaim: Sendable {
    private let signals: [GuestSignal]
    private let thread: UIThread
    private let receiver: SignalReceiver
    // Safe: written in `init`, read on the UI thread. The signals that the thread blocks except while the sequence
    // exists.
    private nonisolated(unsafe) var blocked = sigset_t()
    private let hasEnded = Atomic<Bool>(false)

    private static let lock = Lock()
    // Safe: touched with `lock` held. Handlers are the process's.
    private nonisolated(unsafe) static var holders: [GuestSignal: CallSite] = [:]

    init(_ signals: [GuestSignal], _ site: CallSite, _ thread: UIThread) throws(GuestError) {
        for signal in signals {
            require(
                (1...64).contains(signal.rawValue)
                    && ![SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT].contains(signal.rawValue),
                "\(signal) (\(signal.rawValue)) is no signal that a program can wait for")
        }
        self.signals = signals
        self.thread = thread
        receiver = try SignalReceiver()
        do throws(GuestError) {
            try Self.claim(signals, site)
        } catch {
            close(receiver.descriptor)
            throw error
        }
        for signal in signals where !receiver.receive(signal.rawValue, takes: true) {
            let failure = Errno(rawValue: errno)
            end()
            close(receiver.descriptor)
            throw GuestError(
                .startFailed, errno: failure,
                "the system lets this program not handle \(signal) (\(signal.rawValue)); wait for another signal")
        }
        unblockSignals()
    }

    /// A descriptor that is readable once a signal has arrived.
    var descriptor: Int32 { receiver.descriptor }

    /// The number of a signal that has arrived; -1 with EAGAIN if there is none.
    func take() -> Int32 { receiver.take().number }

    /// A signal that every thread blocks would reach no handler.
    private func unblockSignals() {
        var (ours, before) = (sigset_t(), sigset_t())
        sigemptyset(&ours)
        sigemptyset(&blocked)
        for signal in signals { sigaddset(&ours, signal.rawValue) }
        pthread_sigmask(SIG_UNBLOCK, &ours, &before)
        for signal in signals where sigismember(&before, signal.rawValue) == 1 { sigaddset(&blocked, signal.rawValue) }
    }

    private static func claim(_ signals: [GuestSignal], _ site: CallSite) throws(GuestError) {
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

    /// Any thread. The mask belongs to the UI thread: if the end comes on another thread, the mask stays as it is.
    func end() {
        guard !hasEnded.exchange(true, ordering: .acquiringAndReleasing) else { return }
        if thread.isCurrent { pthread_sigmask(SIG_BLOCK, &blocked, nil) }
        receiver.end()
        Self.lock.lock()
        for signal in signals { Self.holders[signal] = nil }
        Self.lock.unlock()
    }
}
