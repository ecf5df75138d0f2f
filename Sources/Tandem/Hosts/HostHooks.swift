// SPDX-License-Identifier: Apache-2.0
// HostHooks: what a host, or a simulation in its place, has told the loop to call.
// Owner:  the UI thread.

package struct HostHooks {
    /// One frame of the host's, or one wait and tick, for the program's main executor. UI thread, outside of ticks. `false`: the host has gone.
    private(set) var drive: (() -> Bool)?
    /// Whether the main executor runs this loop's host at the moment.
    private(set) var isDriven = false
    /// Does a task wait for an event of the host's? Then a simulation gives the host frames to take events in.
    private(set) var awaitsEvents: (() -> Bool)?
    /// Told before a tick or a phase begins to run user code, and after it has: a simulation shows that code its own time meanwhile.
    private(set) var onWork: ((_ begins: Bool) -> Void)?
    /// Calls its argument while the thread sees the machine's clocks again: for grace periods and the waits that they bound, which are the
    /// machine's also in a simulation.
    private(set) var byMachineTime: ((() -> Void) -> Void)?

    mutating func attachHost(drive: @escaping () -> Bool, awaitsEvents: @escaping () -> Bool) {
        self.drive = drive
        self.awaitsEvents = awaitsEvents
    }

    mutating func beginSimulation(
        onWork: @escaping (_ begins: Bool) -> Void, byMachineTime: @escaping (() -> Void) -> Void
    ) {
        self.onWork = onWork
        self.byMachineTime = byMachineTime
    }

    mutating func endSimulation() {
        onWork = nil
        byMachineTime = nil
    }

    /// The main executor has begun to run the host.
    mutating func beginDriving() { isDriven = true }
}

extension GuestLoop {
    /// For hosts that the program's main executor can run; see ``HostHooks``.
    package func attachHost(drive: @escaping () -> Bool, awaitsEvents: @escaping () -> Bool) {
        hooks.attachHost(drive: drive, awaitsEvents: awaitsEvents)
    }

    /// Whether the main executor runs this loop's host at the moment.
    package var isDriven: Bool { hooks.isDriven }

    /// For hosts with events: does a task wait for one?
    package var awaitsHostEvents: Bool { hooks.awaitsEvents?() ?? false }

    /// For simulations: what its ticks start stays on this thread, sleeps included, and main-actor jobs of other threads, which in a test runner
    /// are other tests, go where they would go without a loop. Works once the loop has adopted the main actor by way of the executor.
    package func beginSimulation(
        onWork: @escaping (_ begins: Bool) -> Void, byMachineTime: @escaping (() -> Void) -> Void
    ) {
        hooks.beginSimulation(onWork: onWork, byMachineTime: byMachineTime)
        executors.kept.begin()
        shared.admitsOthers = false
    }

    package func endSimulation() {
        hooks.endSimulation()
        executors.kept.end()
        shared.admitsOthers = true
    }
}
