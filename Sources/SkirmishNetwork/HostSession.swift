// SPDX-License-Identifier: Apache-2.0
// HostSession: a host: who is there, what they play, and what is sent to them.
// Idea:   each connection is a task that reads as if nothing else existed; one task reads all datagrams; somebody else calls `step` sixty
//         times a second. All of it is one thread's, so that nothing here has a lock.
// Owner:  the main actor.
// Breaks: whatever a player sends is only ever a wish for its own ship, one for each step.

import Logging
package import SkirmishMatch
package import SkirmishProtocol
package import SkirmishRules
package import Tandem

package final class HostSession {
    let loop: GuestLoop
    package private(set) var options: HostOptions
    let logger: Logger
    let listener: TCPListener
    let datagrams: UDPSocket
    var peers: [UInt64: Peer] = [:]
    /// Connections that have not said who they are.
    var strangers = Strangers()
    var attempts = AttemptLimits()

    package private(set) var phase = Phase.lobby
    /// Counted from 1; 0: none has begun.
    package private(set) var match = 0
    package private(set) var arena: Arena?
    package private(set) var results: Results?
    package private(set) var chat: [ChatLine] = []
    package private(set) var traffic = Traffic()
    /// What was sent last, to everybody.
    package private(set) var lastSnapshot: Snapshot?
    /// Sixtieths of a second that this session has made, and those that came too late to be made one by one.
    package private(set) var steps = 0
    package private(set) var missedSteps = 0
    /// Nobody is let in, and no match begins any more.
    package private(set) var isDraining = false
    private var lastRoster = Duration.zero
    private var localIntent = Intent()
    private var calls = 0
    private let start: ContinuousClock.Instant

    /// Listens at once.
    ///
    /// - Throws: what the sockets throw: a port that is taken, say.
    package init(on loop: GuestLoop, _ options: HostOptions, logger: Logger = Logger(label: "skirmish.host")) throws {
        self.loop = loop
        self.options = options
        self.logger = logger
        (listener, datagrams) = try Self.listen(on: loop, at: options.address)
        // A burst of eight players' datagrams, and of garbage, has room.
        try datagrams.set(.receiveBufferSize, to: 1 << 20)
        start = loop.now
    }

    /// Both sockets have one port. The system chooses the listener's, and another program may have that number for its
    /// datagrams already: then once more.
    private static func listen(on loop: GuestLoop, at address: SocketAddress) throws -> (TCPListener, UDPSocket) {
        var attemptsLeft = address.port == 0 ? 32 : 1
        while true {
            attemptsLeft -= 1
            let listener = try TCPListener(on: loop, at: address, backlog: 32)
            do {
                let datagrams = try UDPSocket(on: loop, at: SocketAddress(host: address.host, port: listener.port))
                return (listener, datagrams)
            } catch {
                listener.close()
                guard error.errno == .addressInUse, attemptsLeft > 0 else { throw error }
            }
        }
    }

    /// Where players connect to.
    package var address: SocketAddress { listener.localAddress }

    /// Since the session began.
    var time: Duration { start.duration(to: loop.now) }

    /// Where the host's own player sits.
    package var ownSeat: Int? { options.player == nil ? nil : 0 }

    // MARK: - Who is there

    /// Who sits in a seat.
    func peer(in seat: Int) -> Peer? { peers.values.first { $0.seat == seat && !$0.hasLeft } }

    package var people: Int { peers.values.count { !$0.hasLeft } + (options.player == nil ? 0 : 1) }

    /// The first seat that nobody sits in.
    func freeSeat() -> Int? { (0..<GameProtocol.seats).first { $0 != ownSeat && peer(in: $0) == nil } }

    func isTaken(_ name: String) -> Bool {
        name == options.player || peers.values.contains { $0.name == name && !$0.hasLeft }
    }

    /// People where they sit, and bots in the first seats that are left.
    private func pilots() -> [Pilot] {
        var bots = options.bots
        return (0..<GameProtocol.seats).map { seat in
            if seat == ownSeat || peer(in: seat) != nil { return .person }
            bots -= 1
            return bots >= 0 ? .bot : .nobody
        }
    }

    package var seats: [Seat] {
        let pilots = arena?.world.ships.map(\.pilot) ?? pilots()
        return pilots.enumerated().compactMap { number, pilot in
            guard pilot != .nobody else { return nil }
            let peer = peer(in: number)
            return Seat(
                number: number, pilot: Int(pilot.rawValue),
                name: peer?.name ?? (number == ownSeat ? options.player! : "Bot \(number)"),
                isReady: peer?.isReady ?? true, score: arena?.world.ships[number].score ?? 0, ping: peer?.ping ?? 0)
        }
    }

    func join(_ peer: Peer) {
        peers[peer.token] = peer
        if phase == .lobby { arena = nil } else { arena?.seat(.person, in: peer.seat) }
        tell("\(peer.name) has come")
        sayRoster()
    }

    /// Forgets a player. Its ship flies on with a bot if there are fewer than there should be.
    func leave(_ peer: Peer, _ why: String) {
        guard peers.removeValue(forKey: peer.token) != nil else { return }
        logger.info("\(peer.name) has left: \(why)")
        if let arena {
            let bots = arena.world.ships.count { $0.pilot == .bot }
            arena.seat(bots < options.bots ? .bot : .nobody, in: peer.seat)
        }
        tell("\(peer.name) has left")
        sayRoster()
        startIfReady()
    }

    /// Ends a player's connection, with a reason that it is told and that the log has.
    func drop(_ peer: Peer, _ refusal: Refusal, _ detail: String = "") {
        guard !peer.hasLeft else { return }
        logger.notice(
            "\(peer.name) at \(peer.stream.peerAddress?.description ?? "?") is dropped: \(refusal.words)\(detail)")
        peer.letGo(refusal)
        leave(peer, refusal.words)
    }

    // MARK: - What the host's player changes in the lobby

    /// How many seats bots take in the next match, as far as people leave them free.
    package func setBots(_ count: Int) {
        options.bots = min(max(0, count), GameProtocol.seats)
        sayRoster()
    }

    /// What lets people in from now on. Whoever is there stays.
    package func setCode(_ code: MatchCode) { options.code = code }

    /// How many people are let in from now on. Whoever is there stays.
    package func setCapacity(_ count: Int) { options.capacity = min(max(0, count), GameProtocol.seats) }

    /// Lets nobody in any more, begins no match any more, and tells everybody.
    package func drain() {
        guard !isDraining else { return }
        isDraining = true
        tell("The server ends after this match")
    }

    /// An address that others can reach, as far as this machine knows: host and port.
    package var invitation: String {
        let own = address.host
        let isEverywhere = own == "0.0.0.0" || own == "::"
        let host = isEverywhere ? Interface.all.first { !$0.isLoopback }?.address ?? "127.0.0.1" : own
        return "\(host.contains(":") ? "[\(host)]" : host):\(address.port ?? 0)"
    }

    // MARK: - Saying

    func sayToAll(_ message: HostMessage) {
        for peer in peers.values where !peer.hasLeft && !peer.say(message) { drop(peer, .slow) }
    }

    func sayRoster() {
        lastRoster = time
        sayToAll(.roster(phase: phase, match: match, seats: seats))
    }

    func said(_ text: String, by seat: Int) {
        keep(ChatLine(seat: seat, name: seats.first { $0.number == seat }?.name ?? "", text: text))
        sayToAll(.said(seat: seat, text: text))
    }

    private func tell(_ text: String) { said(text, by: HostMessage.host) }

    private func keep(_ line: ChatLine) {
        chat.append(line)
        if chat.count > 50 { chat.removeFirst() }
    }

    func send(_ bytes: [UInt8], to address: SocketAddress) {
        traffic.sentDatagrams += 1
        traffic.sentBytes += bytes.count
        // Lost if the kernel's buffer is full; somebody who cannot be reached is known by its silence.
        do { try datagrams.sendNow(bytes, to: address) } catch { logger.debug("\(error)") }
    }

    func count(_ body: (inout Traffic) -> Void) { body(&traffic) }

    // MARK: - The host's own player

    /// What the host's own ship is to do from now on.
    package func steer(_ intent: Intent) { localIntent = intent }

    package func say(_ text: String) {
        guard let ownSeat else { return }
        said(text, by: ownSeat)
    }

    // MARK: - Matches

    /// Begins the next match, whoever is ready.
    package func startMatch() {
        match = match % 65_535 + 1
        for peer in peers.values { peer.beginMatch() }
        arena = Arena(
            seed: options.seed &+ UInt64(match) &- 1, pilots: pilots(), keepsRecord: options.keepsRecord)
        lastSnapshot = nil
        results = nil
        phase = .playing
        sayRoster()
    }

    /// Without a player at the host a match begins when everybody is ready.
    func startIfReady() {
        guard options.player == nil, !isDraining, phase != .playing, !peers.isEmpty,
            peers.values.allSatisfy(\.isReady)
        else { return }
        startMatch()
    }

    /// Ends the match that is on, and tells everybody the scores.
    package func endMatch() {
        guard phase == .playing, let arena else { return }
        phase = .over
        let results = Results(match: match, total: arena.world.score, seats: seats)
        self.results = results
        sayToAll(.over(match: match, total: results.total, seats: results.seats))
        sayRoster()
    }

    /// Steps that were missed for want of time.
    func miss(_ count: Int) { missedSteps += count }

    /// One sixtieth of a second. Returns what happened.
    @discardableResult
    package func step() -> [WorldEvent] {
        steps += 1
        for peer in peers.values where time - peer.lastHeard > GameProtocol.silence { drop(peer, .silent) }
        if time - lastRoster >= .seconds(1) { sayRoster() }
        guard phase != .lobby, let arena else { return [] }
        var events: [WorldEvent] = []
        if phase == .playing {
            for peer in peers.values where !peer.hasLeft { arena.steer(peer.seat, peer.inputs.next()) }
            if let ownSeat { arena.steer(ownSeat, Wish(localIntent).intent) }
            events = arena.step()
            if arena.world.isOver { endMatch() }
        }
        calls += 1
        // A match that is over stands still, and needs no haste.
        if calls % (phase == .over ? 10 : GameProtocol.stepsPerSnapshot) == 0 { sendSnapshots(arena) }
        return events
    }

    private func sendSnapshots(_ arena: Arena) {
        let snapshot = Snapshot(arena.world, waveLeft: arena.waveLeft, after: lastSnapshot)
        lastSnapshot = snapshot
        for peer in peers.values where !peer.hasLeft {
            guard let address = peer.address else { continue }
            let held = min(1023, Int((time - peer.stamp.came) / .milliseconds(1)))
            let head = HostDatagram.Head(
                secret: peer.secret, match: match, stamp: peer.stamp.value, held: held,
                carriedOut: peer.inputs.carriedOut, waiting: peer.inputs.count)
            let bytes = HostDatagram.snapshot(head, snapshot, by: &peer.snapshots)
            traffic.largestSnapshot = max(traffic.largestSnapshot, bytes.count)
            send(bytes, to: address)
        }
    }
}
