// SPDX-License-Identifier: Apache-2.0
// DatagramBatch: many datagrams in one system call.
// Idea:   the arrays for the kernel and the memory for the bytes are allocated once and reused, so that a hundred
//         datagrams cost one system call and no allocation.
// Owner:  the code that holds the batch. One operation at a time.

import Glibc
import TandemCLinux

/// Room for datagrams that are sent or received together, by `recvmmsg` and `sendmmsg`.
///
/// ```swift
/// let batch = DatagramBatch(capacity: 64, messageSize: 1500)
/// while true {
///     try await socket.receive(batch)
///     for index in 0..<batch.count { batch.withBytes(at: index) { handle($0, from: batch.address(at: index)) } }
/// }
/// ```
public final class DatagramBatch {
    // Safe: allocated once, freed in deinit.
    fileprivate let raw: OpaquePointer
    /// How many datagrams fit.
    public let capacity: Int
    /// How many bytes each datagram may have. Received ones that are longer are cut.
    public let messageSize: Int
    // Exclusivity of these two is not checked: nothing is called while one of them changes.
    /// How many datagrams there are.
    @exclusivity(unchecked) public fileprivate(set) var count = 0
    /// How many datagrams the last send has handled: all of them, unless it threw.
    @exclusivity(unchecked) public fileprivate(set) var sentCount = 0

    /// Allocates the memory.
    public init(capacity: Int, messageSize: Int = 1500) {
        require(
            (1...1024).contains(capacity) && (1...65_535).contains(messageSize),
            "DatagramBatch was given \(capacity) datagrams of \(messageSize) bytes; expected 1 to 1,024 of 1 to 65,535")
        guard let raw = tandem_batch_create(Int32(capacity), messageSize) else {
            fatalError("there is no memory for \(capacity) datagrams of \(messageSize) bytes")
        }
        self.raw = raw
        self.capacity = capacity
        self.messageSize = messageSize
    }

    deinit {
        tandem_batch_free(raw)
    }

    private func entry(_ index: Int) -> (length: Int, addressSize: UInt32, isTruncated: Bool) {
        require((0..<count).contains(index), "there is no datagram \(index); the batch has \(count)")
        var entry = (length: 0, addressSize: UInt32(0), isTruncated: false)
        tandem_batch_get(raw, Int32(index), &entry.length, &entry.addressSize, &entry.isTruncated)
        return entry
    }

    /// Calls the closure with the bytes of a datagram. They do not change until the next receive.
    public func withBytes<Value, Failure>(
        at index: Int, _ body: (RawSpan) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        // Safe: the memory belongs to this object and is as long as the entry says; the span cannot outlive the call.
        let bytes = UnsafeRawBufferPointer(start: tandem_batch_bytes(raw, Int32(index)), count: entry(index).length)
        return try body(bytes.bytes)
    }

    /// Who sent a datagram, or where it is to go; `nil` on a connected socket.
    public func address(at index: Int) -> SocketAddress? {
        let size = entry(index).addressSize
        guard size > 0, let address = tandem_batch_address(raw, Int32(index)) else { return nil }
        return SocketAddress(address.load(as: sockaddr_storage.self), size: size)
    }

    /// Whether the datagram was longer than ``messageSize``; the rest of it is lost.
    public func isTruncated(at index: Int) -> Bool { entry(index).isTruncated }

    /// Empties the batch, so that others can be put in.
    public func removeAll() {
        count = 0
        sentCount = 0
    }

    /// Adds a copy of `bytes`, to be sent to `peer` (`nil` on a connected socket). `false` if the batch is full.
    ///
    /// Traps if there are more bytes than ``messageSize``.
    @discardableResult
    public func append(_ bytes: RawSpan, to peer: SocketAddress? = nil) -> Bool {
        require(
            bytes.byteCount <= messageSize,
            "a datagram of \(bytes.byteCount) bytes does not fit a batch for \(messageSize); make it with a larger messageSize"
        )
        guard count < capacity else { return false }
        let index = Int32(count)
        bytes.withUnsafeBytes {
            if let start = $0.baseAddress { memcpy(tandem_batch_bytes(raw, index), start, $0.count) }
        }
        if let peer { tandem_batch_address(raw, index)?.storeBytes(of: peer.storage, as: sockaddr_storage.self) }
        tandem_batch_prepare(raw, index, bytes.byteCount, peer?.size ?? 0)
        count += 1
        return true
    }

    /// Adds a copy of `bytes`. As `append(_:to:)`.
    @discardableResult
    public func append(_ bytes: [UInt8], to peer: SocketAddress? = nil) -> Bool { append(bytes.span.bytes, to: peer) }
}

extension UDPSocket {
    /// Waits until a datagram is there, and receives as many as fit. They replace the content of the batch.
    ///
    /// - Returns: How many there are, at least 1.
    /// - Throws: as `receive(into:)`.
    @discardableResult
    public func receive(
        _ batch: DatagramBatch, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Int {
        try await socket.begin(.readable)
        defer { socket.end(.readable) }
        batch.removeAll()
        var triesFirst = !socket.wasJustEmptied
        while true {
            if triesFirst, try socket.receive(into: batch) {
                socket.noteRead(tookAll: batch.count < batch.capacity)
                return batch.count
            }
            triesFirst = true
            try await socket.wait(.readable, CallSite(fileID: fileID, line: line))
        }
    }

    /// Runs `body` whenever datagrams have arrived, with as many in `batch` as fit; the rest comes with the next call.
    /// It runs until the handle is cancelled or the socket is closed.
    ///
    /// A handler costs about a third of a task that receives by the batch. What was in the batch is replaced before
    /// each call. If a connected socket is refused by its peer, the error goes to the error handler, and the watch goes
    /// on.
    ///
    /// ```swift
    /// let batch = DatagramBatch(capacity: 64, messageSize: 1500)
    /// let watch = try socket.whenReceived(batch) { batch in
    ///     for index in 0..<batch.count { batch.withBytes(at: index) { handle($0, from: batch.address(at: index)) } }
    /// }
    /// ```
    ///
    /// UI thread. One system call for each call of `body`.
    ///
    /// - Throws: as ``GuestSocket/whenReadable(fileID:line:_:)``; `.alreadyRegistered` while a task receives.
    public func whenReceived(
        _ batch: DatagramBatch, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: @escaping (DatagramBatch) throws -> Void
    ) throws(GuestError) -> IOHandle {
        let socket = socket
        return try socket.whenReadable(fileID: fileID, line: line) { [weak socket] in
            batch.removeAll()
            // On another thread the socket may have gone, which ends the watch a moment later.
            if let socket, try socket.receive(into: batch) { try body(batch) }
        }
    }

    /// Sends every datagram of the batch, in order, in as few calls as the kernel allows. They stay in the batch and
    /// can be sent again.
    ///
    /// - Throws: as `send(_:to:)`, for the first datagram that could not be sent; ``DatagramBatch/sentCount`` is the
    ///   number of those before it.
    public func send(
        _ batch: DatagramBatch, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        batch.sentCount = 0
        try await sendRest(of: batch, CallSite(fileID: fileID, line: line))
    }

    /// Sends as many datagrams of the batch as the kernel has room for now. It never waits, and works in code that is
    /// not async. They stay in the batch.
    ///
    /// - Returns: Whether all were sent; ``DatagramBatch/sentCount`` is the number of those that were.
    /// - Throws: `.socketFailed`, `.socketClosed`, for the first datagram that could not be sent.
    @discardableResult
    public func sendNow(_ batch: DatagramBatch) throws(GuestError) -> Bool {
        batch.sentCount = 0
        return try socket.sendRest(of: batch)
    }

    /// Sends every datagram of the batch. Those that the kernel refuses are dropped, as if they had been lost on their
    /// way.
    ///
    /// For servers, which answer everybody: a datagram that came from port 0, or from an address that may not be
    /// answered, must not stop the answers to the others.
    ///
    /// - Returns: How many were refused.
    /// - Throws: `.socketClosed`, `CancellationError`, and errors that do not concern a single datagram, such as
    ///   `.closed`.
    @discardableResult
    public func sendDroppingRefused(
        _ batch: DatagramBatch, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Int {
        batch.sentCount = 0
        var refused = 0
        while batch.sentCount < batch.count {
            do {
                try await sendRest(of: batch, CallSite(fileID: fileID, line: line))
            } catch let error as GuestError where error.code == .socketFailed {
                // The refused one is at the index `sentCount`.
                refused += 1
                batch.sentCount += 1
            }
        }
        return refused
    }

    /// Sends those from the index `sentCount` on.
    private func sendRest(of batch: DatagramBatch, _ site: CallSite) async throws {
        try await socket.loop.checkpointInline()
        while try !socket.sendRest(of: batch) { try await socket.wait(.writable, site) }
    }
}

extension GuestSocket {
    /// Receives what is there now, into an empty batch. `false`: nothing is.
    @inline(__always) fileprivate func receive(into batch: DatagramBatch) throws(GuestError) -> Bool {
        guard let count = try attemptToRead("receive datagrams", { tandem_batch_receive($0, batch.raw) }) else {
            return false
        }
        batch.count = count
        return true
    }

    /// Sends from the index `sentCount` on, as many as the kernel has room for now. Returns whether all were sent.
    @inline(__always) fileprivate func sendRest(of batch: DatagramBatch) throws(GuestError) -> Bool {
        while batch.sentCount < batch.count {
            let (from, left) = (Int32(batch.sentCount), Int32(batch.count - batch.sentCount))
            guard let count = try attempt("send datagrams", { tandem_batch_send($0, batch.raw, from, left) }) else {
                return false
            }
            batch.sentCount += count
        }
        return true
    }
}
