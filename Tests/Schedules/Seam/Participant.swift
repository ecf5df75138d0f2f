// SPDX-License-Identifier: Apache-2.0
// Participant: a thread of a schedule. It runs while it has the baton, which is a semaphore of its own.
// Owner:  as `Scheduler`.

import Glibc
import TandemCLinux

final class Participant: @unchecked Sendable {
    // Safe to send: used by the participant that runs; the baton is a semaphore.

    enum State { case ready, sleeping, ended }

    let name: String
    let index: UInt8
    private(set) var thread = pthread_t()
    private let body: (() -> Void)?
    private var entry: (() -> Void)?
    // Safe: allocated once, freed in deinit.
    private let baton = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private var isJoined = false

    var state = State.ready
    /// What a sleeping participant waits for, and until when.
    var condition: (() -> Bool)?
    var wakesAt = Int64.max

    init(name: String, index: UInt8, body: (() -> Void)?) {
        self.name = name
        self.index = index
        self.body = body
        sem_init(baton, 0, 0)
    }

    deinit {
        sem_destroy(baton)
        baton.deallocate()
    }

    func passBaton() { Glibc.sem_post(baton) }
    func waitForBaton() { while Glibc.sem_wait(baton) != 0 {} }

    func start(_ entry: @escaping () -> Void) {
        self.entry = entry
        let argument = Unmanaged.passRetained(self).toOpaque()  // Safe: taken over by the thread.
        let failure = pthread_create(
            &thread, nil,
            { argument in
                // Safe: takes over the reference that `start` retained.
                let participant = Unmanaged<Participant>.fromOpaque(argument!).takeRetainedValue()
                participant.entry?()
                return nil
            }, argument)
        precondition(failure == 0, "a thread of the schedule could not be started: errno \(failure)")
    }

    func join() {
        if isJoined { return }
        isJoined = true
        entry = nil
        Glibc.pthread_join(thread, nil)
    }

    // MARK: The calling thread

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        precondition(pthread_key_create(&key, nil) == 0, "no thread-specific key is left")
        return key
    }()

    func becomeThisThread() {
        thread = pthread_self()
        pthread_setspecific(Self.key, Unmanaged.passUnretained(self).toOpaque())  // Safe: the scheduler keeps it.
    }

    static func leaveThisThread() { pthread_setspecific(key, nil) }

    /// The participant that the calling thread is, and its scheduler; `nil` on other threads.
    static var here: (scheduler: Scheduler, me: Participant)? {
        guard let scheduler = Scheduler.current, let raw = pthread_getspecific(key) else { return nil }
        // Safe: set in `becomeThisThread`; the scheduler keeps its participants until they have ended.
        return (scheduler, Unmanaged<Participant>.fromOpaque(raw).takeUnretainedValue())
    }
}
