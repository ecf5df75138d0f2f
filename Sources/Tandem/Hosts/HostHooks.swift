// SPDX-License-Identifier: Apache-2.0
// HostHooks: closures that a host, or a simulation in its place, gives the loop to call.
// Owner:  the UI thread.

/// What the loop has to know of its host: what it may call, and what its waits have brought.
struct HostParts {
    var hooks = HostHooks()
    var wait = HostWait()
}

package struct HostHooks {
    /// A tick of the host, with its frames. UI thread. `nil`: the host no longer exists.
    private(set) var tick: ((Duration?) -> TickReport?)?
    private(set) var hasTick = false
    /// The host has nothing to do in a tick without work.
    fileprivate(set) var leavesOutIdleTicks = false
    /// How many ticks were only counted, since the host has asked.
    private var ticksLeftOut = 0
    /// Runs one frame of the host, or one wait and one tick, for the program's main executor. UI thread, outside ticks.
    /// `false`: the host no longer exists.
    private(set) var drive: (() -> Bool)?
    /// Whether the main executor runs this loop's host at the moment.
    private(set) var isDriven = false
    /// Whether a task waits for an event of the host. Then a simulation runs frames of the host, in which it takes its
    /// events.
    private(set) var awaitsEvents: (() -> Bool)?
    /// Called before a tick or a phase begins to run user code, and after it. A simulation lets that code see the
    /// simulation's time meanwhile.
    private(set) var onWork: ((_ begins: Bool) -> Void)?
    /// Calls its argument while the thread sees the machine's clocks again. For grace periods, which are measured by
    /// the machine's clock also in a simulation.
    private(set) var byMachineTime: ((() -> Void) -> Void)?

    mutating func attachHost(
        tick: @escaping (Duration?) -> TickReport?, drive: @escaping () -> Bool, awaitsEvents: @escaping () -> Bool
    ) {
        self.tick = tick
        hasTick = true
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

    mutating func countTickLeftOut() { ticksLeftOut += 1 }

    fileprivate mutating func takeTicksLeftOut() -> Int {
        defer { ticksLeftOut = 0 }
        return ticksLeftOut
    }

    /// The program's main executor has begun to run the host.
    mutating func beginDriving() { isDriven = true }
}

extension GuestLoop {
    /// For hosts that the program's main executor can run; see ``HostHooks``.
    package func attachHost(
        tick: @escaping (Duration?) -> TickReport?, drive: @escaping () -> Bool, awaitsEvents: @escaping () -> Bool
    ) {
        hosting.hooks.attachHost(tick: tick, drive: drive, awaitsEvents: awaitsEvents)
    }

    /// UI thread, for hosts whose ticks do more than the loop's: whether a tick without work need not reach the host, which
    /// costs ten times what the tick does.
    package var leavesOutIdleTicks: Bool {
        get { hosting.hooks.leavesOutIdleTicks }
        set { hosting.hooks.leavesOutIdleTicks = newValue }
    }

    /// UI thread, for hosts: how many ticks have not reached the host since the last call.
    package func takeTicksLeftOut() -> Int { hosting.hooks.takeTicksLeftOut() }

    /// Whether the main executor runs this loop's host at the moment.
    package var isDriven: Bool { hosting.hooks.isDriven }

    /// For hosts with events: whether a task waits for one.
    package var awaitsHostEvents: Bool { hosting.hooks.awaitsEvents?() ?? false }

    /// For simulations: jobs that its ticks start stay on this thread, sleeps included. Main-actor jobs of other
    /// threads, which in a test runner belong to other tests, go where they would go without a loop. It has an effect
    /// once the loop has adopted the main actor by way of the executor.
    package func beginSimulation(
        onWork: @escaping (_ begins: Bool) -> Void, byMachineTime: @escaping (() -> Void) -> Void
    ) {
        hosting.hooks.beginSimulation(onWork: onWork, byMachineTime: byMachineTime)
        executors.kept.begin()
        shared.admitsOthers = false
    }

    package func endSimulation() {
        hosting.hooks.endSimulation()
        executors.kept.end()
        shared.admitsOthers = true
    }
}
