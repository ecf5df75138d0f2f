// SPDX-License-Identifier: Apache-2.0
// CodingTests: what is written is read; what is cut or changed is refused, and says why.

import SkirmishRules
import Testing

@testable import SkirmishProtocol

@Suite struct CodingTests {
    @Test func numbersComeBackAsTheyWereWritten() throws {
        var chance = Generator(seed: 1)
        for _ in 0..<500 {
            let fields = (0..<20).map { _ in
                (bits: Int(chance.next() % 32) + 1, value: UInt32(truncatingIfNeeded: chance.next()))
            }
            var writer = BitWriter()
            for field in fields { writer.put(field.value, field.bits) }
            writer.put(signed: -5, 7)
            writer.putSmall(1_234_567)
            writer.put(0x0123_4567_89AB_CDEF as UInt64)
            var reader = BitReader(writer.finished())
            for field in fields {
                let mask = field.bits == 32 ? UInt32.max : 1 << UInt32(field.bits) - 1
                #expect(try reader.take(field.bits) == field.value & mask)
            }
            #expect(try reader.signed(7) == -5)
            #expect(try reader.small() == 1_234_567)
            #expect(try reader.long() == 0x0123_4567_89AB_CDEF)
            try reader.finish()
        }
    }

    @Test func theCostOfASmallNumberIsWhatItTakes() {
        for value in [0, 1, 31, 32, 1023, 1024, 1 << 39] {
            var writer = BitWriter()
            writer.putSmall(value)
            #expect(writer.bitCount == BitWriter.costOfSmall(value))
        }
    }

    @Test(arguments: samples) func messagesComeBackAsTheyWereWritten(_ sample: Sample) throws {
        switch sample {
        case .client(let message): #expect(try ClientMessage(message.bytes) == message)
        case .host(let message): #expect(try HostMessage(message.bytes) == message)
        case .datagram(let datagram): #expect(try ClientDatagram(datagram.bytes) == datagram)
        case .answer(let answer): #expect(try Discovery.Answer(answer.bytes) == answer)
        }
    }

    @Test func everyMessageThatIsCutIsRefused() throws {
        for sample in samples {
            guard case .host(let message) = sample else { continue }
            let content = message.bytes
            for count in 0..<content.count {
                #expect(throws: Malformed.self) { try HostMessage(Array(content.prefix(count))) }
            }
        }
    }

    @Test func aHelloOfAnotherVersionIsKnownForWhatItIs() throws {
        let hello = ClientMessage.hello(version: 99, name: "Ann", code: "x")
        #expect(try ClientMessage(hello.bytes) == .hello(version: 99, name: "", code: ""))
    }

    @Test func namesAndLinesThatCannotBeShownAreRefused() {
        for name in ["", " Ann", "Ann ", "Ann\u{7}", "Änn", "12345678901234567"] {
            #expect(!GameProtocol.isName(name), "\(name)")
            #expect(throws: Malformed.self) {
                try ClientMessage(ClientMessage.hello(version: 1, name: name, code: "").bytes)
            }
        }
        #expect(throws: Malformed.self) { try ClientMessage(ClientMessage.chat("a\nb").bytes) }
        #expect(GameProtocol.isName("Ann of 1,000"))
    }

    @Test func answersBeforeAnAddressIsProvedAreNoLongerThanTheirQuestions() {
        #expect(HostDatagram.challenge(secret: 1, nonce: 2).count <= ClientDatagram.bind(token: 1).bytes.count)
        let longest = Discovery.Answer(
            nonce: .max, version: .max, port: .max, people: 8, needsCode: true, name: String(repeating: "W", count: 99))
        #expect(longest.bytes.count <= Discovery.question(nonce: 1).count)
        // A question that was cut short gets no answer at all.
        #expect(throws: Malformed.self) {
            try Discovery.nonce(ofQuestion: Array(Discovery.question(nonce: 1).dropLast()))
        }
        #expect(throws: Malformed.self) { try ClientDatagram(Array(ClientDatagram.bind(token: 1).bytes.dropLast())) }
    }

    @Test func aWishIsPredictedAndSentAsTheSame() throws {
        var chance = Generator(seed: 3)
        for _ in 0..<1000 {
            let wish = Wish(
                Intent(
                    thrust: Vector(chance.value(in: -2...2), chance.value(in: -2...2)),
                    target: chance.next() % 3 == 0
                        ? nil : Vector(chance.value(in: -100...2000), chance.value(in: -100...2000)),
                    fires: chance.next() % 2 == 0))
            var writer = BitWriter()
            wish.encode(into: &writer)
            var reader = BitReader(writer.finished())
            #expect(try Wish(&reader) == wish)
            #expect(wish.intent.thrust.length <= 1 + 1e-9)
        }
    }

    @Test func aCodeIsEqualOnlyToItself() {
        let code = MatchCode("blue horse")!
        #expect(code.matches(MatchCode("blue horse")!))
        for other in ["", "blue hors", "blue horse ", "Blue horse", "blue horsf"] {
            #expect(!code.matches(MatchCode(other)!), "\(other)")
        }
        #expect(MatchCode(String(repeating: "x", count: 33)) == nil)
        #expect(MatchCode("ä") == nil)
    }

    @Test func aCodeDoesNotShowInAnyDescription() {
        let code = MatchCode("secret")!
        var dumped = ""
        dump(code, to: &dumped)
        for text in ["\(code)", String(reflecting: code), dumped, "\([code])", "\(Optional(code) as Any)"] {
            #expect(!text.contains("secret") && !text.contains("115"))
        }
    }

    @Test func aRateIsKeptAndSavesUpNoMoreThanItsBurst() {
        var limit = RateLimit(perSecond: 10, burst: 5)
        func admitted(at time: Duration, of count: Int) -> Int { (0..<count).count { _ in limit.admits(at: time) } }
        #expect(admitted(at: .zero, of: 20) == 5)
        #expect(admitted(at: .milliseconds(250), of: 20) == 2)
        #expect(admitted(at: .seconds(60), of: 20) == 5)
        #expect(limit.refused == 15 + 18 + 15)
    }

    @Test func theConditionerLosesAndDelaysAsItIsTold() {
        var conditioner = NetworkConditioner(
            .init(latency: .milliseconds(100), jitter: .milliseconds(20), loss: 5), seed: 1)
        let delays = (0..<20_000).map { _ in conditioner.delay() }
        let lost = delays.count { $0 == nil }
        #expect((800...1200).contains(lost), "\(lost) of 20,000")
        let there = delays.compactMap { $0 }
        #expect(there.min()! >= .milliseconds(50) && there.max()! <= .milliseconds(70))
        #expect(there.max()! > .milliseconds(68))
        var perfect = NetworkConditioner(.init(), seed: 1)
        #expect((0..<100).allSatisfy { _ in perfect.delay() == .zero })
    }
}

enum Sample: Sendable {
    case client(ClientMessage)
    case host(HostMessage)
    case datagram(ClientDatagram)
    case answer(Discovery.Answer)
}

let samples: [Sample] = [
    .client(.hello(version: GameProtocol.version, name: "Ann", code: "blue horse")), .client(.chat("Hello, all")),
    .client(.ready(true)), .client(.leave),
    .host(.welcome(seat: 3, token: 0xFEDC_BA98_7654_3210, port: 40_000)),
    .host(.refused(.code, version: GameProtocol.version)), .host(.said(seat: HostMessage.host, text: "Welcome")),
    .host(
        .roster(
            phase: .playing, match: 7,
            seats: (0..<8).map {
                Seat(number: $0, pilot: $0 % 3, name: "Player \($0)", isReady: $0 > 2, score: 100_000 * $0, ping: 80)
            })),
    .host(.over(match: 7, total: 12_345, seats: [Seat(number: 0, pilot: 2, name: "Ann", score: 600)])),
    .datagram(.bind(token: 77)), .datagram(.proof(token: 77, nonce: 99)),
    .datagram(
        .inputs(
            token: 77,
            .init(
                match: 7, acknowledged: 900, stamp: 4321, ping: 150, first: 100,
                wishes: (0..<20).map {
                    Wish(Intent(thrust: Vector(1, -1), target: $0 % 2 == 0 ? nil : Vector(10, 500), fires: $0 > 9))
                }))),
    .answer(.init(nonce: 5, version: 1, port: 47_800, people: 3, needsCode: true, name: "Ann's game")),
]
