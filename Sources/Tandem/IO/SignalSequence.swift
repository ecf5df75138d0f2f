// SPDX-License-Identifier: Apache-2.0
// SignalSequence: the process's signals, as a sequence on the UI thread.
// Idea:   a handler notes the signal and writes an eventfd in the epoll set, so that no code of yours runs in a signal's context.
// Facts:  `exec` puts handlers back, and keeps the mask: a signal that was blocked here, for a signalfd, could never end a child. Nothing is
//         blocked, therefore; where the UI thread blocks one of the signals itself, it lets it through for as long as the sequence stands.
// Owner:  the UI thread, but for the iteration and the end.

import Glibc
import Synchronization
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
    /// arrives several times before it is taken counts once. What has arrived and was not taken when the sequence ends is dropped; it does not
    /// end the process afterwards. Processes that are spawned meanwhile know nothing of it: their signals do what they always do.
    ///
    /// - Throws: `.alreadyRegistered` if another sequence has one of the signals, `.startFailed` without descriptors. Traps on signals that no
    ///   program can wait for (SIGKILL, SIGSTOP, faults).
    public func signals(
        _ signals: Signal..., fileID: StaticString = #fileID, line: UInt = #line
    ) throws(GuestError) -> SignalSequence {
        try admission.admit("GuestLoop.signals")
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
    /// An eventfd; the owner does not mind that it is no socket.
    private let descriptor: Socket
    private let claim: SignalClaim
    private let entry: ClosingActions.Entry
    private let site: CallSite

    init(_ signals: [Signal], _ site: CallSite, on loop: GuestLoop) throws(GuestError) {
        let claim = try SignalClaim(signals, site, loop.thread)
        self.claim = claim
        self.site = site
        descriptor = Socket(taking: claim.descriptor, on: loop)
        entry = loop.closingActions.add { claim.end() }
    }

    deinit {
        // Before the descriptor goes, with the socket.
        claim.end()
        let (loop, entry) = (descriptor.loop, entry)
        if loop.thread.isCurrent {
            loop.closingActions.remove(entry)
        } else {
            loop.postInternally { loop.closingActions.remove(entry) }
        }
    }

    func next() async throws -> Signal {
        try await descriptor.begin(.readable)
        defer { descriptor.end(.readable) }
        while true {
            if let number = try descriptor.attempt("read a signal", { [claim] _ in claim.take() }) {
                return Signal(rawValue: Int32(number))
            }
            try await descriptor.wait(.readable, site)
        }
    }
}

/// Signals that one sequence has, and nobody else meanwhile.
private final class SignalClaim: Sendable {
    private let signals: [Signal]
    private let thread: UIThread
    private let receiver: SignalReceiver
    // Safe: written in `init`, read on the UI thread. Those that the thread blocks, but for the time of the claim.
    private nonisolated(unsafe) var blocked = sigset_t()
    private let hasEnded = Atomic<Bool>(false)

    private static let lock = Lock()
    // Safe: touched with `lock` held. Handlers are the process's.
    private nonisolated(unsafe) static var holders: [Signal: CallSite] = [:]

    init(_ signals: [Signal], _ site: CallSite, _ thread: UIThread) throws(GuestError) {
        for signal in signals {
            precondition(
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
        for signal in signals {
            let isReceived = receiver.receive(signal.rawValue, takes: true)
            precondition(isReceived, "the system lets no program handle \(signal) (\(signal.rawValue))")
        }
        letThrough()
    }

    /// Can be read once one has arrived.
    var descriptor: Int32 { receiver.descriptor }

    /// The number of one that has arrived; -1 with EAGAIN without.
    func take() -> Int32 { receiver.take().number }

    /// One that every thread blocks would reach no handler.
    private func letThrough() {
        var (ours, before) = (sigset_t(), sigset_t())
        sigemptyset(&ours)
        sigemptyset(&blocked)
        for signal in signals { sigaddset(&ours, signal.rawValue) }
        pthread_sigmask(SIG_UNBLOCK, &ours, &before)
        for signal in signals where sigismember(&before, signal.rawValue) == 1 { sigaddset(&blocked, signal.rawValue) }
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

    /// Any thread. The mask is the UI thread's own: where the end comes from elsewhere, it stays as it is.
    func end() {
        guard !hasEnded.exchange(true, ordering: .acquiringAndReleasing) else { return }
        if thread.isCurrent { pthread_sigmask(SIG_BLOCK, &blocked, nil) }
        receiver.end()
        Self.lock.lock()
        for signal in signals { Self.holders[signal] = nil }
        Self.lock.unlock()
    }
}
