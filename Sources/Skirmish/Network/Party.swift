// SPDX-License-Identifier: Apache-2.0
// Party: the people of a networked match, seen from one of them: the one who hosts, or a guest. The scenes do not tell them apart.

import Glibc
import SkirmishMatch
import SkirmishNetwork
import SkirmishProtocol
import SkirmishRules
import Tandem

protocol Party: AnyObject {
    var phase: Phase { get }
    /// Counted from 1.
    var match: Int { get }
    var seats: [Seat] { get }
    var chat: [ChatLine] { get }
    var results: Results? { get }
    var mySeat: Int { get }
    /// How others find this game; `nil`: its host knows.
    var invitation: String? { get }
    /// What the first line of the lobby does.
    var beginning: String { get }
    /// The host begins the match; a guest is ready for it.
    func begin()
    func say(_ text: String)
    /// A sixtieth of a second, with what the player wants.
    func advance(_ intent: Intent, _ shown: Match)
    /// Before a frame is drawn.
    func show(_ shown: Match)
    /// The world that the player's pilot may look at, where nobody sits in front of the screen.
    var seen: World? { get }
    /// For the display of F3.
    var figures: [String] { get }
    /// The last words of a run with a limit of time.
    func finish() async
    var report: NetworkReport { get }
}

nonisolated struct NetworkReport: Codable {
    var scoreboard = ""
    var people = 0
    var roundTripMs = 0.0
    var corrections = 0
    var greatestCorrection = 0.0
    var largestSnapshot = 0
    var sentBytes = 0
    var receivedBytes = 0
    var refusedDatagrams = 0
    /// Of a host that keeps a record of its match: whether the record gives the same match again, bit for bit.
    var replaysTheSame: Bool?
    /// Of a host of many matches.
    var matches: Int?
    var steps: Int?
    var missedSteps: Int?
    /// What the whole process has used of the processors so far.
    var processorSeconds = NetworkReport.usedProcessorSeconds

    private static var usedProcessorSeconds: Double {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}

/// The host's own player.
final class HostParty: Party {
    let session: HostSession
    private let loop: GuestLoop

    init(_ session: HostSession, _ loop: GuestLoop) { (self.session, self.loop) = (session, loop) }

    var phase: Phase { session.phase }
    var match: Int { session.match }
    var seats: [Seat] { session.seats }
    var chat: [ChatLine] { session.chat }
    var results: Results? { session.results }
    var mySeat: Int { session.ownSeat ?? 0 }
    var beginning: String { "Begin the match" }
    var invitation: String? { "Others find it in their list, or join at \(session.invitation)" }
    var seen: World? { session.arena?.world }
    var bots: Int {
        get { session.options.bots }
        set { session.setBots(newValue) }
    }
    var hasCode: Bool { !session.options.code.isEmpty }
    func setCode(_ code: MatchCode) { session.setCode(code) }

    func begin() { session.startMatch() }
    func say(_ text: String) { session.say(text) }

    func advance(_ intent: Intent, _ shown: Match) {
        session.steer(intent)
        let events = session.step()
        guard let arena = session.arena else { return }
        shown.show(arena.world, events, waveLeft: arena.waveLeft, announcement: arena.announcement)
    }

    func show(_ shown: Match) {}

    var figures: [String] {
        let traffic = session.traffic
        return [
            "players \(session.people)  round trip up to \(session.seats.map(\.ping).max() ?? 0) ms",
            "snapshot up to \(traffic.largestSnapshot) B",
            "sent \(traffic.sentBytes / 1024) KiB in \(traffic.sentDatagrams)  refused \(traffic.refusedDatagrams)",
        ]
    }

    func finish() async {
        session.endMatch()
        // The scores are told before the good-bye.
        await session.close()
    }

    var report: NetworkReport {
        NetworkReport(
            scoreboard: session.results?.line ?? "", people: session.people,
            largestSnapshot: session.traffic.largestSnapshot, sentBytes: session.traffic.sentBytes,
            receivedBytes: session.traffic.receivedBytes, refusedDatagrams: session.traffic.refusedDatagrams,
            replaysTheSame: session.arena?.replaysTheSame)
    }
}

final class GuestParty: Party {
    let session: ClientSession
    private var isReady = false
    private var wave = (number: 0, since: 0)
    private let loop: GuestLoop

    init(_ session: ClientSession, _ loop: GuestLoop) { (self.session, self.loop) = (session, loop) }

    var phase: Phase { session.phase }
    var match: Int { session.match }
    var seats: [Seat] { session.seats }
    var chat: [ChatLine] { session.chat }
    var results: Results? { session.results }
    var mySeat: Int { session.seat }
    var beginning: String { isReadyNow ? "Not ready yet" : "Ready" }
    private var isReadyNow: Bool { session.seats.first { $0.number == session.seat }?.isReady ?? false }
    let invitation: String? = nil
    private(set) var seen: World?

    func begin() { session.setReady(!isReadyNow) }
    func say(_ text: String) { session.say(text) }
    func advance(_ intent: Intent, _ shown: Match) { session.step(intent) }

    func show(_ shown: Match) {
        guard let picture = session.picture() else { return }
        seen = picture.world
        if picture.world.wave != wave.number { wave = (picture.world.wave, picture.world.steps) }
        let isNew = picture.world.steps - wave.since < 120
        shown.show(
            picture.world, picture.events, waveLeft: picture.waveLeft,
            announcement: isNew ? ("Wave \(wave.number)", wave.since) : nil)
    }

    var figures: [String] {
        let lead = session.interpolation
        return [
            "round trip \(Int(session.roundTrip / .milliseconds(1))) ms  snapshot \(session.lastSnapshotBytes) B",
            "picture \(Int(lead.delay * 1000 / 60)) ms late, \(lead.starved) times too early",
            "own ship corrected \(session.prediction.corrections) times",
        ]
    }

    func finish() async { session.leave() }

    var report: NetworkReport {
        NetworkReport(
            scoreboard: session.results?.line ?? "", people: session.seats.count { $0.pilot == 2 },
            roundTripMs: session.roundTrip / .milliseconds(1), corrections: session.prediction.corrections,
            greatestCorrection: session.prediction.greatestCorrection,
            largestSnapshot: session.lastSnapshotBytes, sentBytes: session.traffic.sentBytes,
            receivedBytes: session.traffic.receivedBytes, refusedDatagrams: session.traffic.refusedDatagrams)
    }
}
