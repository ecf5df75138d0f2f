// SPDX-License-Identifier: Apache-2.0
// Outbox: a bounded queue of messages for a stream, with a task of its own that writes them.
// Idea:   the sender never waits. Usually the kernel's buffer takes a message at once. What it does not take stays in
//         the outbox, whose own task writes it as the peer reads. So a slow peer does not delay the sender, and
//         cancelling the sender's task does not cut a message in two.
// Owner:  the UI thread.
// Breaks: without the bound, a peer that does not read would take all the memory.

import Logging
import TandemCLinux

/// Messages for a peer that may be slow. One writer sends them in order; at most a given number of bytes waits, and no
/// message is cut in two.
///
/// ```swift
/// let outbox = try Outbox(stream, capacity: 64_000, whenFull: .dropOldest())
/// outbox.send("you have joined\n")    // never waits
/// for try await line in stream.lines() { answer(line, through: outbox) }
/// outbox.send("goodbye\n")
/// outbox.finish()                     // writes what is left, then closes the stream
/// ```
///
/// As long as the outbox exists, other writes on the stream throw `.alreadyRegistered`. Each message is offered to the
/// kernel at once. A task of the outbox writes what the kernel has not taken as soon as it can, and puts small messages
/// together.
///
/// All calls belong to the UI thread. Once the loop has closed, they do nothing.
public final class Outbox: @unchecked Sendable {
    // Safe to send: every `var` is used on the UI thread only, and each call checks the thread.

    /// What happens to a message for which there is no room.
    public enum Overflow: Sendable {
        /// The message is refused: `send` returns `false`.
        case refuse
        /// The oldest messages are dropped, always as a whole, and none that the kernel has begun to take. In their
        /// place a message from `notice` is sent, which can tell the peer how many it has missed.
        case dropOldest(notice: (@Sendable (_ missed: Int) -> String)? = nil)
        /// The connection is given up: the stream is closed, and its reader gets `.socketClosed`.
        case disconnect
    }

    private enum Phase { case open, finishing, ended }
    private struct Flusher {
        /// The number of the last message that the task waits for.
        let number: Int
        let waiter: Waiter
    }

    private let socket: GuestSocket
    private let capacity: Int
    private let overflow: Overflow
    private let stallLimit: Duration?
    private let fileID: StaticString
    private let line: UInt
    private var messages = OutgoingMessages()
    private var phase = Phase.open
    private var isWriting = false
    private var flushers: [Flusher] = []
    /// How many messages were dropped since the peer was last told.
    private var missed = 0
    private var lost = 0
    private var error: GuestError?
    private var lastWordTimer: CallbackHandle?

    private var loop: GuestLoop { socket.loop }
    private var site: CallSite { CallSite(fileID: fileID, line: line) }

    /// Makes an outbox, which becomes the only writer of `stream`.
    ///
    /// - Parameters:
    ///   - stream: Where to write. The outbox keeps a reference to it.
    ///   - capacity: How many bytes may wait in the outbox, besides those in the kernel's buffer. Each message counts
    ///     32 bytes more than it has, the cost of storing it. A message longer than the capacity is refused.
    ///   - overflow: What a full outbox does.
    ///   - stallLimit: If bytes wait and the peer takes none of them for this long, the stream is closed. `nil`: never.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    /// - Throws: `.alreadyRegistered` if another task is writing or the stream has another outbox; `.socketClosed`.
    public init(
        _ stream: some SocketStream, capacity: Int = 65_536, whenFull overflow: Overflow = .refuse,
        stallLimit: Duration? = .seconds(30), fileID: StaticString = #fileID, line: UInt = #line
    ) throws(GuestError) {
        require(capacity > 0, "an outbox was given a capacity of \(capacity) bytes; expected 1 or more")
        socket = stream.socket
        self.capacity = capacity
        self.overflow = overflow
        self.stallLimit = stallLimit
        self.fileID = fileID
        self.line = line
        if socket.isClosed { throw socket.closedError }
        guard socket.tryBegin(.writable) else { throw socket.busyError(.writable) }
    }

    deinit {
        if phase != .ended { socket.end(.writable) }
    }

    // MARK: What stands here

    /// How many bytes wait in the outbox.
    public var byteCount: Int { onThread("Outbox.byteCount", else: 0) { messages.byteCount } }
    /// How many messages were lost: refused, dropped for newer ones, or cut off by an error.
    public var dropped: Int { onThread("Outbox.dropped", else: lost) { lost } }
    /// The error after which nothing can be sent any more. `nil` before that, and after a ``finish(within:)`` that has
    /// written everything.
    public var failure: GuestError? { onThread("Outbox.failure", else: error) { error } }
    /// Whether messages are accepted: until ``finish(within:)``, an error, or the end of the loop.
    public var isOpen: Bool { onThread("Outbox.isOpen", else: false) { phase == .open } }

    private func onThread<Value>(_ call: StaticString, else late: Value, _ body: () -> Value) -> Value {
        if loop.admission.isClosed { return late }
        loop.thread.check(call)
        return body()
    }

    // MARK: Sending

    /// Sends a message, or keeps it until the peer has room. It never waits, so that cancelled tasks and code that is
    /// not async may call it, too.
    ///
    /// - Returns: `false` if the message was not accepted: the outbox is full and its overflow is to refuse, it is
    ///   finished or has failed, the message is longer than the capacity, or the loop has closed. It then counts as
    ///   ``dropped``.
    @discardableResult
    public func send(_ message: [UInt8]) -> Bool {
        onThread("Outbox.send", else: false) {
            if message.isEmpty { return phase == .open }
            guard phase == .open, makeRoom(for: message) else {
                lost += 1
                return false
            }
            messages.append(message)
            if !isWriting { writeAtOnce() }
            return error == nil
        }
    }

    /// Sends `text` as UTF-8. As `send(_:)`.
    @discardableResult
    public func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Sends `message` with its length before it, as ``SocketStream/messages(prefix:maximumLength:fileID:line:)`` reads
    /// it. As `send(_:)`; a message that is longer than its prefix can tell is not taken.
    @discardableResult
    public func send(message: [UInt8], prefix: LengthPrefix = .fourBytes) -> Bool {
        guard let head = prefix.bytes(for: message.count) else {
            return onThread("Outbox.send", else: false) {
                lost += 1
                return false
            }
        }
        return send(head + message)
    }

    private func makeRoom(for message: [UInt8]) -> Bool {
        let cost = OutgoingMessages.cost(of: message)
        guard message.count <= capacity else { return false }
        // There is always room for one message, whatever its overhead.
        while messages.cost + cost > max(capacity, cost) {
            switch overflow {
            case .refuse: return false
            case .dropOldest:
                guard messages.dropOldest() else { return false }
                missed += 1
                lost += 1
            case .disconnect:
                fail(
                    GuestError(
                        .peerUnresponsive,
                        "the peer\(socket.to) reads too slowly: \(messages.byteCount) bytes wait for it, \(capacity) may; raise the capacity, or send it less"
                    ), closes: true)
                return false
            }
        }
        return true
    }

    /// Writes what the kernel takes now. The writer's task writes the rest.
    private func writeAtOnce() {
        do throws(GuestError) {
            if try !writeSome(counts: false) { startWriter() }
        } catch {
            fail(error, closes: phase == .finishing)
        }
    }

    /// Writes as much as the kernel takes and, where that `counts`, the task's share allows; `false` if something is
    /// left.
    private func writeSome(counts: Bool = true) throws(GuestError) -> Bool {
        while !messages.isEmpty, !counts || loop.takeUnit() {
            insertNotice()
            guard try messages.writeNext({ bytes throws(GuestError) in try socket.send(bytes) }) != nil else { break }
        }
        resumeFlushers()
        return messages.isEmpty
    }

    /// If messages were dropped, adds the notice for the peer.
    private func insertNotice() {
        guard missed > 0, messages.isBetweenMessages else { return }
        if case .dropOldest(let notice?) = overflow { messages.insertNext(Array(notice(missed).utf8)) }
        missed = 0
    }

    // MARK: The writer

    private func startWriter() {
        isWriting = true
        loop.run(fileID: fileID, line: line) { [self] in
            await write()
            isWriting = false
        }
    }

    private func write() async {
        do {
            while phase != .ended {
                // This task is cancelled only by the end of the loop.
                if try writeSome() { break }
                await loop.cooperate()
                if try writeSome() { break }
                try await waitForRoom()
            }
            if phase == .finishing { await linger() }
        } catch {
            // The loop is closing: writes what the kernel still takes.
            if error is CancellationError { _ = try? writeSome(counts: false) }
            let failure = error as? GuestError ?? .closed
            fail(failure, closes: phase == .finishing || failure.code == .peerUnresponsive)
        }
    }

    /// Waits until the kernel reports that the socket is writable, which it does only when a good part of its buffer is
    /// free. A slow peer may read less than that within the limit, and is not given up for it: the number of bytes in
    /// the kernel's buffer must have become smaller.
    private func waitForRoom() async throws {
        let limit = stallLimit.map { PeerLimit(duration: $0, complaint: "has taken no byte") }
        let before = try unsentByteCount()
        do {
            try await socket.wait(.writable, site, limit: limit)
        } catch let error as GuestError where error.code == .peerUnresponsive {
            if try unsentByteCount() >= before { throw error }
        }
    }

    /// How many bytes are in the kernel's buffer and not yet acknowledged by the peer.
    private func unsentByteCount() throws(GuestError) -> Int64 {
        try socket.attempt { tandem_work_done($0, TANDEM_WORK_UNSENT) }
    }

    // MARK: Waiting for the writer

    /// Waits until the kernel has taken all that was sent before this call.
    ///
    /// - Throws: ``failure``, if that happens first; `.closed` when the loop ends; `CancellationError` at once if the
    ///   task is cancelled. What is in the outbox stays there and is written.
    public func flush(fileID: StaticString = #fileID, line: UInt = #line) async throws {
        try await loop.checkpoint()
        loop.thread.check("Outbox.flush")
        if let error { throw error }
        let number = messages.lastNumber
        guard !messages.hasLeft(number) else { return }
        try await loop.wait(
            for: "a task that waits until an outbox has been written", site: CallSite(fileID: fileID, line: line)
        ) { waiter in
            flushers.append(Flusher(number: number, waiter: waiter))
            return { [self] in flushers.removeAll { $0.waiter === waiter } }
        }
    }

    private func resumeFlushers() {
        guard !flushers.isEmpty else { return }
        let done = flushers.filter { messages.hasLeft($0.number) }
        flushers.removeAll { messages.hasLeft($0.number) }
        for flusher in done { flusher.waiter.resume() }
    }

    // MARK: The end

    /// Accepts no more messages, writes those that are in the outbox, then closes the stream. Returns at once, so that
    /// a cancelled task can send a last message, too.
    ///
    /// After the last byte the stream is closed for writing. What the peer still sends is read and dropped until the
    /// peer closes its side: if a stream is closed while bytes are unread, the kernel resets the connection, and the
    /// peer might never read the last message. A task that waits for the stream's next bytes gets `.socketClosed` when
    /// the last byte is written. Until all this has ended the outbox and the stream stay alive without other
    /// references. ``flush(fileID:line:)`` waits for the last byte. If the loop closes meanwhile, what the kernel takes
    /// at once is sent.
    ///
    /// - Parameter limit: How long all of this may take. Then the stream is closed, even if something is left.
    public func finish(within limit: Duration = .seconds(2)) {
        onThread("Outbox.finish", else: ()) {
            // An outbox that has failed may have left its stream open, for bytes that the peer had sent before.
            if phase == .ended { socket.close() }
            guard phase == .open else { return }
            phase = .finishing
            if loop.admission.state == .open {
                lastWordTimer = loop.callLater(limit, fileID: fileID, line: line) { [self] in
                    let error = GuestError(
                        .peerUnresponsive,
                        "the peer\(socket.to) did not take the last message within \(limit); the connection was closed")
                    if messages.isEmpty { end() } else { fail(error, closes: true) }
                }
            }
            if !isWriting { startWriter() }
        }
    }

    /// Called when everything is written: waits until the peer closes its side.
    private func linger() async {
        defer { end() }
        do {
            try socket.closeForWriting()
            // A task that reads the stream is told that it gets no more bytes.
            loop.retire(socket.descriptor.rawValue)
            while !socket.tryBegin(.readable) {
                try await loop.sleep(until: loop.time.now.addingClamped(1_000_000), site)
            }
            defer { socket.end(.readable) }
            while true {
                await loop.cooperate()
                switch try socket.discard() {
                case nil: try await socket.wait(.readable, site)
                case 0: return
                default: break
                }
            }
        } catch {
            // A reset by the peer, the close at the limit, and the end of the loop end this wait as well. All of them
            // mean that there is nothing more to wait for.
        }
    }

    private func fail(_ failure: GuestError, closes: Bool) {
        guard phase != .ended else { return }
        error = failure
        loop.configuration.logger.debug("the outbox made at \(site) has failed: \(failure)")
        lost += messages.removeAll()
        let flushers = self.flushers
        self.flushers = []
        end(closes: closes)
        for flusher in flushers { flusher.waiter.resume(throwing: failure) }
    }

    private func end(closes: Bool = true) {
        guard phase != .ended else { return }
        phase = .ended
        lastWordTimer?.cancel()
        lastWordTimer = nil
        socket.end(.writable)
        if closes {
            dropUnread()
            socket.close()
        }
    }

    /// Bytes that nobody has read would make the kernel reset the connection. When the loop is closing there is no time
    /// to wait for the peer's end, so what has arrived is read and dropped.
    private func dropUnread() {
        guard error == nil, socket.tryBegin(.readable) else { return }
        for _ in 0..<4 { guard let count = try? socket.discard(), count > 0 else { break } }
        socket.end(.readable)
    }
}

// MARK: - A last word

extension SocketStream {
    /// Sends a last message and closes the stream. It works in a cancelled task, in which
    /// ``write(_:fileID:line:)-(String,_,_)`` would throw before it tries. Returns at once. UI thread.
    ///
    /// As ``Outbox/finish(within:)``. If another task or an outbox is writing on the stream, the stream is closed at
    /// once: only that writer can send a last message.
    ///
    /// - Returns: Whether the message was accepted.
    @discardableResult
    public func close(
        saying farewell: String, within limit: Duration = .seconds(2), fileID: StaticString = #fileID,
        line: UInt = #line
    ) -> Bool {
        guard let outbox = try? Outbox(self, capacity: max(1, farewell.utf8.count), fileID: fileID, line: line) else {
            close()
            return false
        }
        let isTaken = outbox.send(farewell)
        outbox.finish(within: limit)
        return isTaken
    }
}
