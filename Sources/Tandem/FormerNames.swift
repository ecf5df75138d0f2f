// SPDX-License-Identifier: Apache-2.0
// FormerNames: names that calls had before. They do what they did, and go with 0.2; CHANGELOG.md has the table.

public import SystemPackage

extension GuestLoop {
    /// The former name of ``waitUntilReadable(_:fileID:line:)``.
    @available(*, deprecated, renamed: "waitUntilReadable(_:fileID:line:)")
    public func readable(_ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line) async throws {
        try await waitUntilReadable(fd, fileID: fileID, line: line)
    }

    /// The former name of ``waitUntilWritable(_:fileID:line:)``.
    @available(*, deprecated, renamed: "waitUntilWritable(_:fileID:line:)")
    public func writable(_ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line) async throws {
        try await waitUntilWritable(fd, fileID: fileID, line: line)
    }

    /// The former name of ``waitForFrames(_:in:fileID:line:)``.
    @available(*, deprecated, renamed: "waitForFrames(_:in:fileID:line:)")
    @discardableResult
    public func frames(
        _ count: Int, in phase: FramePhase = .update, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Frame? {
        try await waitForFrames(count, in: phase, fileID: fileID, line: line)
    }

    /// The former name of ``runPhase(_:of:)``.
    @available(*, deprecated, renamed: "runPhase(_:of:)")
    public func run(_ phase: FramePhase, of frame: Frame) { runPhase(phase, of: frame) }

    /// The former name of ``offloadSteps(buffering:fileID:line:_:)``.
    @available(*, deprecated, renamed: "offloadSteps(buffering:fileID:line:_:)")
    public func offload<Step: Sendable, Value: Sendable>(
        buffering: AsyncStream<Step>.Continuation.BufferingPolicy = .bufferingNewest(16),
        fileID: StaticString = #fileID, line: UInt = #line,
        _ body: @escaping @Sendable (_ report: @Sendable (Step) -> Void) throws -> Value
    ) -> OffloadSteps<Step, Value> {
        offloadSteps(buffering: buffering, fileID: fileID, line: line, body)
    }
}
