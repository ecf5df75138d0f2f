// SPDX-License-Identifier: Apache-2.0
// Wakes: a wake of the main thread by a descriptor, and a task that waits for datagrams, by the least Swift that does it.
// Owner:  the main thread, but for the second one of a wake.

import CBench
import CLimits
import Glibc

/// threads=1: the main thread sleeps in the epoll set itself. threads=2: another thread does, announces what it finds, and waits until it was taken.
@MainActor func countWakes(_ options: Options) throws {
    let count = try options.number("n", 1000)
    let (poller, tally) = (LeastPoller(), Tally())
    let descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    _ = poller.watch(descriptor, EPOLLIN.rawValue) { _ in
        tally.ran += 1
        var value: eventfd_t = 0
        eventfd_read(descriptor, &value)
    }
    let backend = try options.number("threads", 1) == 2 ? LeastBackend(poller.set) : nil
    while tally.ran < count {
        eventfd_write(descriptor, 1)
        backend?.waitForRequest()
        poller.poll(backend == nil ? -1 : 0, failed)
        backend?.passTurn()
    }
    metric("ran", "count", tally.ran)
}

/// A thread that sleeps in the epoll set as long as it has the turn.
private final class LeastBackend: Sendable {
    private let requests = eventfd(0, Int32(EFD_CLOEXEC))
    private let turns = eventfd(0, Int32(EFD_CLOEXEC))

    init(_ set: Int32) {
        let (requests, turns) = (requests, turns)
        // Never joined: it ends with the process.
        _ = Worker {
            var (event, value): (pollfd, eventfd_t) = (pollfd(fd: set, events: Int16(POLLIN), revents: 0), 0)
            while poll(&event, 1, -1) > 0 {
                eventfd_write(requests, 1)
                eventfd_read(turns, &value)
            }
        }
    }

    func waitForRequest() {
        var value: eventfd_t = 0
        eventfd_read(requests, &value)
    }

    func passTurn() { eventfd_write(turns, 1) }
}

/// Eight datagrams, which the frame sends and a task takes at once.
@MainActor func countBatches(_ options: Options) throws {
    let count = try options.number("n", 1000)
    var port: Int32 = 0
    let receiver = limits_bound_socket(&port)
    let sender = bench_connected_socket(port)
    let ready = Ready.install(.preferring)
    let (poller, socket, tally) = (LeastPoller(), LeastSocket(receiver), Tally())
    socket.watch(by: poller)
    let datagram = [UInt8](repeating: 1, count: 64)
    @MainActor @Sendable func receive() async throws { while true { tally.ran += try await socket.receive() } }
    Task(executorPreference: Ready.executor) { try await receive() }
    ready.run()
    for frame in 1...count {
        for _ in 0..<limits_datagrams { send(sender, datagram, datagram.count, 0) }
        while tally.ran < frame * limits_datagrams {
            poller.poll(-1, failed)
            ready.run()
        }
    }
    metric("ran", "count", tally.ran / limits_datagrams)
}
