// SPDX-License-Identifier: Apache-2.0
// ConnectTests: addresses, names, and who wins a race of them.

import Foundation
import Glibc
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core.ConnectTests {
    // MARK: Addresses

    @Test func addressesAreReadAndWritten() throws {
        #expect("\(try SocketAddress(host: "127.0.0.1", port: 80))" == "127.0.0.1:80")
        #expect("\(try SocketAddress(host: "[::1]", port: 8080))" == "[::1]:8080")
        #expect(try SocketAddress(host: "::1", port: 1) == .loopback(.ipv6, port: 1))
        #expect(try SocketAddress(host: "0.0.0.0", port: 1) == .any(.ipv4, port: 1))
        #expect(try SocketAddress(host: "::", port: 1) != .any(.ipv6, port: 2))
        #expect("\(try SocketAddress.unix(path: "/tmp/a.socket"))" == "/tmp/a.socket")
        #expect("\(try SocketAddress.unix(path: "@name"))" == "@name")
        #expect(SocketAddress.loopback(port: 5).port == 5)
        #expect(SocketAddress.loopback(port: 5).family == .ipv4)
    }

    @Test(arguments: ["", "localhost", "1.2.3", "1.2.3.4.5", "::g", "fe80::1%", "fe80::1%no-such-interface"])
    func whatIsNoAddressIsAClearError(text: String) {
        let error = #expect(throws: GuestError.self) { try SocketAddress(host: text, port: 1) }
        #expect(error?.code == .addressFailed)
        #expect(error?.context.contains("\"\(text)\"") == true)
    }

    /// The C library reads up to a zero, and `UInt32` takes a sign.
    @Test(arguments: ["127.0.0.1\0.evil.example", "::1\0", "[::1]\0", "fe80::1%+1", "fe80::1%-1", "fe80::1%0x1"])
    func whatOnlyBeginsLikeAnAddressIsNone(text: String) {
        let error = #expect(throws: GuestError.self) { try SocketAddress(host: text, port: 1) }
        #expect(error?.code == .addressFailed)
    }

    @Test func anErrorQuotesALittleOfALongHostAndNoControlCharacters() throws {
        for text in [
            String(repeating: "h", count: 1 << 20), "\u{1B}[2Jhost", "fe80::1%" + String(repeating: "i", count: 200),
        ] {
            let error = try #require(throws: GuestError.self) { try SocketAddress(host: text, port: 1) }
            #expect(error.context.utf8.count < 600)
            #expect(!error.context.unicodeScalars.contains { $0.properties.generalCategory == .control })
        }
        try onLoop { loop in
            let name = String(repeating: "h", count: 1 << 20)
            let error = try await guestError { try await SocketAddress.resolve(host: name, port: 1, on: loop) }
            #expect(error.code == .addressFailed)
            #expect(error.context.utf8.count < 600)
        }
    }

    @Test(arguments: ["", String(repeating: "x", count: 108), "a\0b"]) func anUnfitPathIsAClearError(path: String) {
        #expect(throws: GuestError.self) { try SocketAddress.unix(path: path) }
    }

    @Test func aScopeIsANumberOrAnInterface() throws {
        let loopback = try #require(UDPSocket.interface(named: "lo"))
        let named = try SocketAddress(host: "fe80::1%lo", port: 9)
        #expect(named.scopeID == loopback)
        #expect(named == (try SocketAddress(host: "fe80::1%\(loopback)", port: 9)))
        #expect("\(named)" == "[fe80::1%lo]:9")
        #expect(UDPSocket.interface(named: "no-such-interface") == nil)
    }

    /// A link-local address means nothing without its interface, and the kernel says so at once.
    @Test func aLinkLocalAddressWithoutItsScopeIsAClearError() throws {
        try onLoop { loop in
            let address = try SocketAddress(host: "fe80::1", port: 9)
            let error = try await guestError { try await TCPStream.connect(to: address, on: loop) }
            #expect(error.code == .socketFailed)
            #expect(error.context.contains("[fe80::1]:9"))
            #expect(error.errno == .invalidArgument || error.errno == .networkUnreachable)
        }
    }

    // MARK: Connecting

    @Test func aNameIsConnectedTo() throws {
        try onLoop { loop in
            let thread = pthread_self()
            let listener = try TCPListener(on: loop, at: .loopback(port: 0))
            let client = try await TCPStream.connect(to: "localhost", port: listener.port, on: loop)
            let server = try await listener.accept()
            #expect(pthread_self() == thread)
            #expect(server.peerAddress == client.localAddress)
            #expect(client.peerAddress == server.localAddress)
            #expect(try client.get(.noDelay))
            #expect(try server.get(.noDelay))
        }
    }

    @Test func aNameThatNobodyHasIsAClearError() throws {
        try onLoop { loop in
            // A part of a name has 63 characters at most, which the resolver knows without asking anybody.
            let name = String(repeating: "x", count: 64) + ".invalid"
            let error = try await guestError { try await TCPStream.connect(to: name, port: 1, on: loop) }
            #expect(error.code == .addressFailed)
            #expect(error.context.contains(name))
            for name in ["", "a\0b"] {
                let error = try await guestError { try await SocketAddress.resolve(host: name, port: 1, on: loop) }
                #expect(error.code == .addressFailed)
            }
        }
    }

    @Test func aRefusalNamesTheOperationTheAddressAndTheNumber() throws {
        try onLoop { loop in
            let listener = try TCPListener(on: loop, at: .loopback(port: 0))
            let address = listener.localAddress
            listener.close()
            let error = try await guestError { try await TCPStream.connect(to: address, on: loop) }
            #expect(error.errno == .connectionRefused)
            #expect(error.context.hasPrefix("could not connect to \(address): nobody listens there"))
            #expect(loop.statistics.registrations == 0)
        }
    }

    @Test func anAddressThatIsTakenIsAClearError() throws {
        try onLoop { loop in
            let first = try TCPListener(on: loop, at: .loopback(port: 0))
            let error = try await guestError { try TCPListener(on: loop, at: first.localAddress) }
            #expect(error.errno == .addressInUse)
            #expect(error.context.contains("\(first.localAddress)"))
            let shared = try TCPListener(on: loop, at: .loopback(port: 0), reusePort: true)
            _ = try TCPListener(on: loop, at: shared.localAddress, reusePort: true)
            #expect(throws: GuestError.self) { try TCPListener(on: loop, at: .unix(path: "@tandem-no")) }
        }
    }

    /// A listener whose queue is full lets a TCP connect wait; it is called off in the middle.
    @Test func aCancelledConnectLeavesNothingBehind() throws {
        try withLoop { host, loop in
            let listener = try TCPListener(on: loop, at: .loopback(port: 0), backlog: 0)
            let address = listener.localAddress
            let streams = Box<[TCPStream]>([])
            var fillers: [GuestRun<Void>] = []
            for _ in 0..<4 {
                fillers.append(
                    loop.run { streams.value.append(try await TCPStream.connect(to: address, on: loop)) })
            }
            let wasFilled = host.run(within: .milliseconds(300)) { streams.value.count == 4 }
            #expect(!wasFilled, "the queue took all four")
            let before = sockets()
            for run in fillers { run.cancel() }
            #expect(host.run { fillers.allSatisfy(\.isDone) })
            #expect(loop.statistics.registrations == 0)
            #expect(loop.statistics.timers == 0)
            // Other suites of the process open some meanwhile, and close them.
            #expect(host.run { sockets() < before })
        }
    }

    // MARK: The race

    @Test func familiesTakeTurns() throws {
        let six = try (1...3).map { try SocketAddress(host: "::\($0)", port: 1) }
        let four = try (1...2).map { try SocketAddress(host: "0.0.0.\($0)", port: 1) }
        #expect(ConnectRace.interleaved(six + four).map(\.host) == ["::1", "0.0.0.1", "::2", "0.0.0.2", "::3"])
        #expect(ConnectRace.interleaved(four + six).map(\.host) == ["0.0.0.1", "::1", "0.0.0.2", "::2", "::3"])
        #expect(ConnectRace.interleaved([]).isEmpty)
    }

    /// What each address does, in virtual milliseconds: `nil` never answers.
    private enum Answer { case never, success(after: Int), failure(after: Int) }

    /// Runs a race of fakes in virtual time, and writes down when each was tried, called off, and who won.
    private func race(_ answers: [(host: String, answer: Answer)]) throws -> [String] {
        let (configuration, clock) = virtualConfiguration()
        return try withLoop(configuration: configuration) { host, loop in
            let journal = Journal([])
            let begin = loop.now
            func milliseconds() -> Int { Int((begin.duration(to: loop.now) / .milliseconds(1)).rounded()) }
            let byHost = Dictionary(uniqueKeysWithValues: answers.map { ($0.host, $0.answer) })
            let addresses = try answers.map { try SocketAddress(host: $0.host, port: 1) }
            let race = ConnectRace(addresses, on: loop) { address, done in
                journal.note("\(milliseconds()) try \(address.host)")
                var timer: CallbackHandle?
                switch byHost[address.host]! {
                case .never: break
                case .success(let after):
                    timer = loop.callLater(.milliseconds(after)) {
                        done(.success(GuestSocket(taking: dup(0), peer: address, on: loop)))
                    }
                case .failure(let after):
                    timer = loop.callLater(.milliseconds(after)) {
                        done(.failure(.socket("connect to", "\(address)", ECONNREFUSED)))
                    }
                }
                return {
                    timer?.cancel()
                    journal.note("\(milliseconds()) call off \(address.host)")
                }
            }
            var isDone = false
            loop.run({ try await race.run().peerAddress!.host }) { result in
                switch result {
                case .success(let winner): journal.note("\(milliseconds()) won \(winner)")
                case .failure(let error as GuestError): journal.note("\(milliseconds()) lost: \(error.context)")
                case .failure(let error): journal.note("\(error)")
                }
                isDone = true
            }
            for _ in 0..<5000 where !isDone {
                while loop.hasWork { host.tick() }
                clock.advance(by: .milliseconds(1))
            }
            #expect(isDone)
            #expect(loop.statistics.timers == 0)
            return journal.value
        }
    }

    @Test func theFirstThatAnswersInTimeIsAlone() throws {
        #expect(try race([("::1", .success(after: 100)), ("0.0.0.1", .never)]) == ["0 try ::1", "100 won ::1"])
    }

    @Test func oneThatIsSilentGetsCompanyAndIsCalledOff() throws {
        #expect(
            try race([("::1", .never), ("::2", .never), ("0.0.0.1", .success(after: 20))]) == [
                "0 try ::1", "250 try 0.0.0.1", "270 call off ::1", "270 won 0.0.0.1",
            ])
    }

    @Test func aSlowOneMayStillWin() throws {
        #expect(
            try race([("::1", .success(after: 300)), ("0.0.0.1", .success(after: 100))]) == [
                "0 try ::1", "250 try 0.0.0.1", "300 call off 0.0.0.1", "300 won ::1",
            ])
    }

    @Test func oneThatFailsIsReplacedAtOnce() throws {
        #expect(
            try race([("::1", .failure(after: 5)), ("0.0.0.1", .failure(after: 5)), ("::2", .success(after: 1))]) == [
                "0 try ::1", "5 try 0.0.0.1", "10 try ::2", "11 won ::2",
            ])
    }

    @Test func whenAllFailEachIsNamed() throws {
        let journal = try race([("::1", .failure(after: 1)), ("0.0.0.1", .failure(after: 1))])
        #expect(journal.last?.hasPrefix("2 lost: none of 2 addresses answered: could not connect to [::1]:1") == true)
        #expect(journal.last?.contains("0.0.0.1:1") == true)
    }
}
