// SPDX-License-Identifier: Apache-2.0
// FormerNames: names that calls had before. They do what they did, and go with 0.2; CHANGELOG.md has the table.

public import Tandem
public import TandemCSDL

extension SDLGuest {
    /// The former name of ``nextEvent(priority:consuming:fileID:line:matching:)``.
    @available(*, deprecated, renamed: "nextEvent(priority:consuming:fileID:line:matching:)")
    @discardableResult
    public func event(
        priority: Int = 0, consuming: Bool = false, fileID: StaticString = #fileID, line: UInt = #line,
        matching matches: @escaping (SDL_Event) -> Bool = { _ in true }
    ) async throws -> SDL_Event {
        try await nextEvent(
            priority: priority, consuming: consuming, fileID: fileID, line: line, matching: matches)
    }

    /// The former name of ``waitForFrames(_:in:fileID:line:)``.
    @available(*, deprecated, renamed: "waitForFrames(_:in:fileID:line:)")
    @discardableResult
    public func frames(
        _ count: Int, in phase: FramePhase = .update, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Frame? {
        try await waitForFrames(count, in: phase, fileID: fileID, line: line)
    }
}
