// SPDX-License-Identifier: Apache-2.0
// SDLGuest: a loop that is a guest of an SDL2 program.
// Owner:  the main thread, where SDL's video and events live.

public import CSDL2
public import Tandem

/// An event loop inside an SDL2 frame loop.
///
/// ```swift
/// let guest = try SDLGuest()
/// while running {
///     while SDL_PollEvent(&event) != 0 {
///         if guest.handle(event) { continue }
///         // … the game's own events
///     }
///     guest.tick()
///     // … update, draw
/// }
/// guest.close()
/// ```
///
/// Making it adopts the main actor: `@MainActor` code, `Task.sleep` and `DispatchQueue.main` run in ``tick(budget:)``.
@MainActor public final class SDLGuest {
    /// The loop: timers, descriptors, posts. Any thread may refer to it, and `post`; the rest of it is the main thread's.
    public nonisolated let loop: GuestLoop
    let host: SDLHost
    let eventType: UInt32
    private var interrupts: Interrupts?
    /// Set by ``FrameLoop/stop()`` and by a quit event.
    var stopsFrames = false
    /// Something happened that a frame drawn on demand should show.
    var wantsFrame = false

    /// Makes a loop on the main thread and starts its backend thread. SDL's event subsystem is initialised if it is not yet.
    ///
    /// - Parameters:
    ///   - configuration: The loop's.
    ///   - mainActor: How `@MainActor` code reaches the loop.
    ///   - handlesInterrupts: Ctrl-C (SIGINT) and SIGTERM become `SDL_QUIT` at once, also while the host sleeps; a second one ends
    ///     the process. SDL's own handler only sets a flag that the next pump reads.
    /// - Throws: `GuestError`: `.hostFailed` if SDL refuses, `.wrongThread`, and what `GuestLoop.init` throws. Nothing is left behind.
    public init(
        configuration: Configuration = .init(), mainActor: MainActorPath = .executor, handlesInterrupts: Bool = true,
        fileID: StaticString = #fileID, line: UInt = #line
    ) throws(GuestError) {
        if SDL_WasInit(UInt32(SDL_INIT_EVENTS)) == 0, SDL_InitSubSystem(UInt32(SDL_INIT_EVENTS)) != 0 {
            throw GuestError(.hostFailed, "SDL's event subsystem did not start: \(String(cString: SDL_GetError()))")
        }
        eventType = try AsyncioMessage.type()
        host = SDLHost(eventType: eventType)
        loop = try GuestLoop(host: host, configuration: configuration, fileID: fileID, line: line)
        do throws(GuestError) {
            try loop.adoptMainActor(mainActor)
            interrupts = handlesInterrupts ? try Interrupts(loop) : nil
        } catch {
            loop.close()
            throw error
        }
    }

    /// True if the event was Tandem's own: a request for a tick, of no meaning to the game. Runs nothing.
    public func handle(_ event: SDL_Event) -> Bool { event.type == eventType }

    /// As ``handle(_:)``, for Swift bindings of SDL2 that have an event type of their own.
    public func handle(eventType: UInt32) -> Bool { eventType == self.eventType }

    /// Runs what is ready, within the budget; see `GuestLoop.tick`.
    @discardableResult
    public func tick(budget: Duration? = nil) -> TickReport { loop.tick(budget: budget) }

    /// Starts an async main function on the main actor; `onDone` gets its outcome on the main thread. See `GuestLoop.run`.
    @discardableResult
    public func run<T: Sendable>(
        fileID: StaticString = #fileID, line: UInt = #line,
        _ main: @escaping @MainActor () async throws -> T,
        onDone: @escaping (Result<T, any Error>) -> Void = { _ in }
    ) -> GuestRun<T> {
        loop.run(fileID: fileID, line: line, { try await main() }, onDone: onDone)
    }

    /// Ends the loop: cancels, drains, joins. Idempotent. SDL stays as it is.
    public func close() {
        interrupts?.end()
        interrupts = nil
        loop.close()
    }
}
