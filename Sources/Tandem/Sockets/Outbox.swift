// SPDX-License-Identifier: Apache-2.0
// Outbox: what is to be written on a stream, within a bound, by one writer of its own.
// Idea:   whoever has something to say says it and goes on; the kernel's buffer takes it at once as a rule. What it does not take stands here, and a
//         task of the outbox's own writes it as the peer reads. So neither a slow peer nor the cancellation of the speaker keeps or cuts a message.
// Owner:  the UI thread.
// Breaks: without the bound, a peer that does not read would take all the memory.

import Logging
import TandemCLinux

/// Messages on their way to a peer who may be slow: written in order by one writer, at most so many bytes of them, none cut in two.
///
/// ```swift
/// let outbox = try Outbox(stream, capacity: 64_000, whenFull: .dropOldest())
/// outbox.send("you have joined\n")    // never waits
/// for try await line in stream.lines() { answer(line, through: outbox) }
/// outbox.send("goodbye\n")
/// outbox.finish()                     // writes what is left, then closes the stream
/// ```
///
/// While it stands the stream's other writes are refused with `.alreadyRegistered`. Each message is offered to the kernel at once; what it does not
/// take is written as soon as it does, by a task of the outbox's own, small messages together.
///
/// All calls belong to the UI thread. Once the loop has closed, they do nothing.
public final class Outbox: @unchecked Sendable {
    // Safe to send: every `var` is touched on the UI thread only, which each call checks.

    /// What becomes of a message for which there is no room.
    public enum Overflow: Sendable {
        /// It is refused: `send` returns `false`.
        case refuse
        /// The oldest messages give way, whole ones, and none that the kernel has begun to take. `notice` is asked for a message in their place, which
        /// tells the peer how many it has missed.
        case dropOldest(notice: (@Sendable (_ missed: Int) -> String)? = nil)
        /// The peer is given up: the stream is closed, whose reader gets `.socketClosed`.
        case disconnect
    }

    private enum Phase { case open, finishing, ended }
    private struct Flusher {
        /// The last message that it waits for.
        let number: Int
        let waiter: Waiter
    }

    private let socket: Socket
    private let capacity: Int
    private let overflow: Overflow
    private let stallLimit: Duration?
    private let fileID: StaticString
    private let line: UInt
    private var messages = OutgoingMessages()
    private var phase = Phase.open
    private var isWriting = false
    private var flushers: [Flusher] = []
    /// Messages that gave way, and of which the peer has not been told.
    private var missed = 0
    private var lost = 0
    private var error: GuestError?
    private var lastWordTimer: CallbackHandle?

    private var loop: GuestLoop { socket.loop }
    private var site: CallSite { CallSite(fileID: fileID, line: line) }

    /// Becomes the one writer of `stream`.
    ///
    /// - Parameters:
    ///   - stream: Where to write. The outbox keeps it.
    ///   - capacity: How many bytes may wait for the peer besides those that the kernel has; each message counts 32 more than it has, which is what
    ///     keeping it costs. A message that is longer is refused.
    ///   - overflow: What a full outbox does.
    ///   - stallLimit: A peer that takes no byte for so long while some are waiting is given up: the stream is closed. `nil`: never.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    /// - Throws: `.alreadyRegistered` if another task writes, or another outbox does; `.socketClosed`.
    public init(
        _ stream: some SocketStream, capacity: Int = 65_536, whenFull overflow: Overflow = .refuse,
        stallLimit: Duration? = .seconds(30), fileID: StaticString = #fileID, line: UInt = #line
    ) throws(GuestError) {
        precondition(capacity > 0, "an outbox was given a capacity of \(capacity) bytes; expected 1 or more")
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

    /// How many bytes wait for the peer.
    public var byteCount: Int { onThread("Outbox.byteCount", else: 0) { messages.byteCount } }
    /// How many messages were lost: refused, dropped for newer ones, or cut off by an error.
    public var dropped: Int { onThread("Outbox.dropped", else: lost) { lost } }
    /// Why nothing can be sent any more; `nil` as long as it can, and after a ``finish(within:)`` that wrote everything.
    public var failure: GuestError? { onThread("Outbox.failure", else: error) { error } }
    /// Whether messages are taken: until ``finish(within:)``, an error, or the loop's end.
    public var isOpen: Bool { onThread("Outbox.isOpen", else: false) { phase == .open } }

    private func onThread<Value>(_ call: StaticString, else late: Value, _ body: () -> Value) -> Value {
        if loop.admission.isClosed { return late }
        loop.thread.check(call)
        return body()
    }

    // MARK: Sending

    /// Sends a message, or keeps it until the peer has room. Never waits; also for cancelled tasks and for code that is not async.
    ///
    /// - Returns: `false` if it was not taken: the outbox is full and refuses, it is finished or has failed, the message is longer than the
    ///   capacity, or the loop has closed. It counts as ``dropped`` then.
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

    /// Sends `message` with its length before it, as ``SocketStream/messages(prefix:maximumLength:fileID:line:)`` reads it. As `send(_:)`; a message that is
    /// longer than its prefix can tell is not taken.
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
        // One message at least has room, whatever keeping it costs.
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

    /// Writes what the kernel takes; the writer does the rest.
    private func writeAtOnce() {
        do throws(GuestError) {
            if try !writeSome(counts: false) { startWriter() }
        } catch {
            fail(error, closes: phase == .finishing)
        }
    }

    /// Writes as much as the kernel takes and, where that `counts`, the task's share allows; `false` if something is left.
    private func writeSome(counts: Bool = true) throws(GuestError) -> Bool {
        while !messages.isEmpty, !counts || loop.takeUnit() {
            insertNotice()
            guard try messages.writeNext({ bytes throws(GuestError) in try socket.send(bytes) }) != nil else { break }
        }
        resumeFlushers()
        return messages.isEmpty
    }

    /// Where messages gave way, the peer is told.
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
                // Only the loop's end cancels this task.
                if try writeSome() { break }
                await loop.cooperate()
                if try writeSome() { break }
                try await waitForRoom()
            }
            if phase == .finishing { await linger() }
        } catch {
            // Whatever the kernel still takes, where the loop is closing.
            if error is CancellationError { _ = try? writeSome(counts: false) }
            let failure = error as? GuestError ?? .closed
            fail(failure, closes: phase == .finishing || failure.code == .peerUnresponsive)
        }
    }

    /// Waits until the kernel says that it takes bytes again, which it does when a good part of its buffer is free. A slow peer may take less than that
    /// within the limit, and is not given up for it: what counts is whether fewer bytes wait in the kernel than before.
    private func waitForRoom() async throws {
        let limit = stallLimit.map { PeerLimit(duration: $0, complaint: "has taken no byte") }
        let before = try unsentByteCount()
        do {
            try await socket.wait(.writable, site, limit: limit)
        } catch let error as GuestError where error.code == .peerUnresponsive {
            if try unsentByteCount() >= before { throw error }
        }
    }

    /// How many bytes wait in the kernel.
    private func unsentByteCount() throws(GuestError) -> Int64 {
        try socket.attempt { tandem_work_done($0, TANDEM_WORK_UNSENT) }
    }

    // MARK: Waiting for the writer

    /// Waits until the kernel has taken all that was sent before this call.
    ///
    /// - Throws: ``failure``, if that comes before; `.closed` when the loop ends; `CancellationError` at once if the task is cancelled. What stands in
    ///   the outbox stays, and is written.
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

    /// Takes no more messages; writes those that stand here, then closes the stream. Returns at once: also a cancelled task can say goodbye.
    ///
    /// After the last byte the stream is closed for writing, and what the peer still sends is read and dropped until it closes its side, too: a stream
    /// that is closed with bytes unread would be reset, and the peer might never read the last message. A task that waits for the stream's next bytes
    /// gets `.socketClosed` when the last byte is out. The outbox and the stream live on until then, whoever has let go of them. ``flush(fileID:line:)`` waits for the
    /// last byte. If the loop closes meanwhile, what the kernel takes at once is sent.
    ///
    /// - Parameter limit: How long all of this may take; then the stream is closed, whatever is left.
    public func finish(within limit: Duration = .seconds(2)) {
        onThread("Outbox.finish", else: ()) {
            // One that has failed may have left its stream open, for what the peer has still sent.
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

    /// Everything is written. Waits for the peer's end.
    private func linger() async {
        defer { end() }
        do {
            try socket.closeForWriting()
            // Whoever waits for more is told that nothing more is for him.
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
            // The peer's reset, the close at the limit and the loop's end end this as well, and all of them mean the same.
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

    /// What nobody has read would make the kernel reset the connection; where the loop is closing there was no time to wait for the peer's end.
    private func dropUnread() {
        guard error == nil, socket.tryBegin(.readable) else { return }
        for _ in 0..<4 { guard let count = try? socket.discard(), count > 0 else { break } }
        socket.end(.readable)
    }
}

// MARK: - A last word

extension SocketStream {
    /// Says a last word and closes, also from a cancelled task, whose ``write(_:fileID:line:)-(String,_,_)`` would throw before it tries. Returns at
    /// once. UI thread.
    ///
    /// As ``Outbox/finish(within:)``. A stream that another task or an outbox is writing is closed at once: the last word belongs to that writer.
    ///
    /// - Returns: Whether the word is on its way.
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
