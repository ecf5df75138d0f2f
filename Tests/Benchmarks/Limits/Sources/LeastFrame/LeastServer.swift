// SPDX-License-Identifier: Apache-2.0
// LeastServer (W13): `ServerWork` by the least Swift that does it in tasks as Tandem's are: one receives by the batch, one sends in each tick. One sleep,
//                    in the epoll set, until a datagram or the next tick's instant.
// Owner:  the main thread.

import CBench
import CLimits
import Glibc

@MainActor private final class LeastServer {
    let work: ServerWork
    private let descriptor: Int32
    private let reader = LeastWait()
    let ticker = LeastWait()
    private var isReadable = true
    private(set) var isDone = false
    private var ports = [UInt16](repeating: 0, count: Int(limits_room))

    init(_ work: ServerWork, _ descriptor: Int32) { (self.work, self.descriptor) = (work, descriptor) }

    func mayRead() {
        isReadable = true
        reader.resume()
    }

    func receive() async throws {
        while true {
            guard isReadable else {
                try await reader.suspend {}
                continue
            }
            let count = max(0, Int(limits_server_receive(descriptor, &ports)))
            // A batch with room left has emptied the socket: what comes later is a new edge.
            isReadable = count == limits_room
            for index in 0..<count where work.receives(from: ports[index]) { limits_server_admit(Int32(index)) }
        }
    }

    func tick() async throws {
        for number in 0..<work.ticks {
            try await ticker.suspend {}
            if work.begin(number) { work.sent += max(0, Int(limits_server_send(descriptor, Int32(number)))) }
        }
        isDone = true
    }
}

@MainActor func leastServer(_ options: Options) throws {
    let work = try ServerWork(options)
    var port: Int32 = 0
    let descriptor = limits_bound_socket(&port)
    guard descriptor >= 0 else { throw Failed("there is no socket") }
    let server = LeastServer(work, descriptor)
    let ready = Ready.install(.preferring)
    let poller = LeastPoller()
    // Edges alone: nothing has to be armed again.
    _ = poller.watch(descriptor, EPOLLIN.rawValue | EPOLLET.rawValue) { _ in server.mayRead() }
    Task(executorPreference: Ready.executor) { try await server.receive() }
    Task(executorPreference: Ready.executor) { try await server.tick() }
    ready.run()
    bench_players_play(port)
    var instant = now()
    while !server.isDone {
        let present = now()
        if present >= instant {
            instant += work.period
            server.ticker.resume()
        } else {
            poller.poll(instant - present, failed)
        }
        ready.run()
    }
    try work.finish()
}
