// SPDX-License-Identifier: Apache-2.0
// 10-udp-ping: how long a datagram takes to the server and back, as a game would measure it.
// Idea: datagrams get lost, come late and come twice; each carries its number, and a ping that is not answered within its time is a loss, not
// an error. The server takes all datagrams that are there in one call, and answers them in another. An answer that the kernel refuses, since a
// stranger has sent from port 0, say, is a loss like the others.
//
// --to HOST PORT  pings another program's server instead of one of its own, which loses every eighth.
// --frames N      ends after N frames.

import Tandem
import TandemSDL

let arguments = CommandLine.arguments
let limit = arguments.firstIndex(of: "--frames").flatMap { Int(arguments[$0 + 1]) }

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Ping", 0, 0, 480, 160, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()
let loop = guest.loop

// MARK: The server

/// Sends each datagram back, but for every eighth.
@MainActor func serve(_ socket: UDPSocket) async throws {
    let arrived = DatagramBatch(capacity: 32)
    let answers = DatagramBatch(capacity: 32)
    var count = 0
    while true {
        try await socket.receive(arrived)
        answers.removeAll()
        for index in 0..<arrived.count {
            count += 1
            guard count % 8 != 0 else { continue }
            arrived.withBytes(at: index) { bytes in
                _ = answers.append(bytes, to: arrived.address(at: index))
            }
        }
        try await socket.sendDroppingRefused(answers)
    }
}

// MARK: The client

/// What `operation` gives, or `nil` if the kernel told of a datagram that got lost. The socket is as good as before.
@MainActor func ignoringRefusals<Value: Sendable>(_ operation: () async throws -> Value) async throws -> Value? {
    do { return try await operation() } catch let error as GuestError where error.code == .socketFailed { return nil }
}

/// One ping: the round trip's time, or `nil` if there was no answer in time.
struct Ping {
    let number: UInt32
    var time: Duration?
}
var pings: [Ping] = []

/// Sends a ping every 20 ms, and gives each answer 200 ms.
@MainActor func ping(_ address: SocketAddress) async throws {
    let socket = try UDPSocket.connected(to: address, on: loop)
    var sent: [UInt32: ContinuousClock.Instant] = [:]
    guest.run {
        while true {
            // While nobody listens there, each ping is refused, which the next call is told.
            guard let datagram = try await ignoringRefusals({ try await socket.receive(upTo: 64) }) else { continue }
            let arrival = loop.now
            guard let number = UInt32(String(decoding: datagram.bytes, as: UTF8.self)),
                let departure = sent.removeValue(forKey: number)
            else { continue }  // late, twice, or not ours
            pings.append(Ping(number: number, time: departure.duration(to: arrival)))
        }
    } onDone: { result in
        if case .failure(let error as GuestError) = result { print(error) }
    }
    for try await beat in loop.clock.timer(every: .milliseconds(20)) {
        let number = UInt32(beat.number)
        sent[number] = loop.now
        _ = try await ignoringRefusals { try await socket.send("\(number)") }
        for (number, departure) in sent where departure.duration(to: loop.now) > .milliseconds(200) {
            sent[number] = nil
            pings.append(Ping(number: number, time: nil))
        }
    }
}

guest.run {
    if let place = arguments.firstIndex(of: "--to") {
        let addresses = try await SocketAddress.resolve(
            host: arguments[place + 1], port: UInt16(arguments[place + 2]) ?? 0, on: loop)
        try await ping(addresses[0])
    } else {
        let server = try UDPSocket(on: loop, at: .loopback(port: 0))
        guest.run { try await serve(server) }
        try await ping(server.localAddress)
    }
} onDone: { result in
    if case .failure(let error as GuestError) = result { print(error) }
}

// MARK: Frames

/// A bar for each of the last pings: one pixel for 10 µs, red for a loss.
@MainActor func draw() {
    SDL_SetRenderDrawColor(renderer, 12, 18, 24, 255)
    SDL_RenderClear(renderer)
    for (column, ping) in pings.suffix(120).enumerated() {
        let height = ping.time.map { min(150, max(1, Int32($0 / .microseconds(10)))) } ?? 150
        var bar = SDL_Rect(x: Int32(column * 4), y: 155 - height, w: 3, h: height)
        if ping.time == nil {
            SDL_SetRenderDrawColor(renderer, 220, 60, 60, 255)
        } else {
            SDL_SetRenderDrawColor(renderer, 90, 220, 160, 255)
        }
        SDL_RenderFillRect(renderer, &bar)
    }
    SDL_RenderPresent(renderer)
}

let frames = FrameLoop(guest)
frames.frameLimit = limit
let count = frames.run(draw: { _ in draw() })
let times = pings.compactMap(\.time).sorted()
let median = times.isEmpty ? "none came back" : "half of them within \(times[times.count / 2] / .microseconds(1)) µs"
print("\(count) frames, \(pings.count) pings, \(pings.count - times.count) lost, \(median)")
guest.close()
SDL_Quit()
