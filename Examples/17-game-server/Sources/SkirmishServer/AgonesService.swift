// SPDX-License-Identifier: Apache-2.0
// AgonesService: keeps Agones told how the game server is, and does what its record says.
// Idea:   each report begins with a question to the game, which its loop answers in a tick: a loop that hangs does not answer, so that no ping
//         is sent and Agones replaces the server. The service is the last to end: it says that the server has ended when nobody plays any more.
// Owner:  any thread; the game is the main actor's.

public import AgonesSDK
public import Logging
public import ServiceLifecycle

/// What Agones is told of a game, and what it tells it.
@MainActor public protocol ManagedGame: AnyObject, Sendable {
    /// How many people play, and whether others are let in.
    var occupancy: Occupancy { get }
    /// The record has changed.
    func take(_ record: GameServerRecord)
}

/// Who is in a game.
public struct Occupancy: Sendable, Hashable {
    /// How many people play.
    public var people: Int
    /// Whether others are let in; not any more while the game drains.
    public var isOpen: Bool

    /// Both of them.
    public init(people: Int, isOpen: Bool) { (self.people, self.isOpen) = (people, isOpen) }
}

/// Reports a game to the SDK server beside it, from ready to shutdown.
public struct AgonesService: Service {
    private let sdk: SDKClient
    private let game: any ManagedGame
    private let interval: Duration
    private let logger: Logger

    /// - Parameter interval: Between two pings; a third of the period of the health settings, or less.
    public init(
        _ game: any ManagedGame, sdk: SDKClient, every interval: Duration = .seconds(2),
        logger: Logger = Logger(label: "agones")
    ) {
        (self.game, self.sdk, self.interval, self.logger) = (game, sdk, interval, logger)
    }

    /// Lasts until a graceful shutdown, which it reports; or until the task is cancelled.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await report() }
            group.addTask { try await follow() }
            group.addTask { try await gracefulShutdown() }
            try await group.next()
        }
        do { try await sdk.shutdown() } catch { logger.warning("the end is not reported: \(error)") }
    }

    /// Ready, then health, players and allocation. What fails is tried again at the next ping: the SDK server may begin later than the game, and
    /// may be restarted.
    private func report() async throws {
        var complaints = Complaints(logger)
        var isReady = false
        var told: Int?
        var isAllocated = false
        while true {
            // Answered on the loop.
            let occupancy = await game.occupancy
            let people = occupancy.people
            await complaints.note("health") { try await sdk.health() }
            if !isReady { isReady = await complaints.note("ready") { try await sdk.ready() } }
            if isReady {
                if people > 0, !isAllocated {
                    isAllocated = await complaints.note("allocation") { try await sdk.allocate() }
                } else if people == 0, isAllocated, occupancy.isOpen {
                    // Whoever played has left: the next ones may come.
                    isAllocated = await !complaints.note("ready") { try await sdk.ready() }
                }
                if people != told,
                    await complaints.note("players", { try await sdk.setCount(people, of: Self.counter) })
                {
                    told = people
                }
            }
            try await Task.sleep(for: interval)
        }
    }

    /// The record, again after each connection's end.
    private func follow() async throws {
        var complaints = Complaints(logger)
        while true {
            await complaints.note("the record") { try await sdk.watch { await game.take($0) } }
            try await Task.sleep(for: interval)
        }
    }

    /// The counter that the fleet's template declares.
    public static let counter = "players"
}

/// Says once what goes wrong, and once that it is well again, not at each ping.
private struct Complaints {
    private let logger: Logger
    private var last: [String: String] = [:]

    init(_ logger: Logger) { self.logger = logger }

    /// Returns whether it went well.
    @discardableResult
    mutating func note(_ what: String, _ body: () async throws -> Void) async -> Bool {
        do {
            try await body()
            if last.removeValue(forKey: what) != nil { logger.info("\(what): reported again") }
            return true
        } catch  where Task.isCancelled {
            return false
        } catch {
            if last.updateValue("\(error)", forKey: what) != "\(error)" { logger.warning("\(what): \(error)") }
            return false
        }
    }
}
