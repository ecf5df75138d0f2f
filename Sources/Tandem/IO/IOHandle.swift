// SPDX-License-Identifier: Apache-2.0
// IOHandle: one watch on one descriptor in one direction, in 72 bytes.
// Owner:  the UI thread.

public import SystemPackage

/// A descriptor watch that was made by ``GuestLoop/whenReadable(_:fileID:line:_:)`` or
/// ``GuestLoop/whenWritable(_:fileID:line:_:)``. It stays until it is cancelled; cancel it before closing the
/// descriptor.
public final class IOHandle {
    enum Direction: String, Sendable { case readable, writable }

    enum Action {
        case none
        /// Stays, and runs at each event.
        case call(() throws -> Void)
        /// Resumes one waiting task, once.
        case resume(Waiter)
    }

    @exclusivity(unchecked) private(set) var action: Action
    let direction: Direction
    /// Counts events in a row, to find handlers that do nothing; see `IdleHandlers`.
    @exclusivity(unchecked) var streak = Streak()
    /// It belongs to the library or the host. A recorded run does not record its events.
    let isOurs: Bool
    let fd: Int32
    private(set) var site: CallSite
    private let table: RegistrationTable

    init(
        _ descriptor: FileDescriptor, _ direction: Direction, _ action: Action, site: CallSite, isOurs: Bool = false,
        table: RegistrationTable
    ) {
        self.isOurs = isOurs
        fd = descriptor.rawValue
        self.direction = direction
        self.action = action
        self.site = site
        self.table = table
    }

    /// The descriptor that is watched.
    public var descriptor: FileDescriptor { FileDescriptor(rawValue: fd) }

    var isOneShot: Bool {
        if case .resume = action { true } else { false }
    }

    /// True once the watch has ended.
    public var isDone: Bool {
        if case .none = action { true } else { false }
    }

    /// Ends the watch. UI thread. Its handler does not run again, even if its descriptor is among those that the
    /// present tick has found ready. Does nothing if it is called again, or the loop no longer exists. One system call.
    public func cancel() {
        table.thread.check("IOHandle.cancel")
        let released = end()
        table.remove(self)
        // What the handler has captured is released here, while nothing of the loop is being changed: a `deinit` may
        // call anything.
        withExtendedLifetime(released) {}
    }

    /// The watch has ended, and nobody refers to it but the caller, who begins another one of the same descriptor and
    /// direction with it.
    func beginAnew(_ action: Action, _ site: CallSite) {
        self.action = action
        self.site = site
    }

    /// Removes the action and returns it.
    func end() -> Action {
        var taken = Action.none
        swap(&taken, &action)
        return taken
    }
}
