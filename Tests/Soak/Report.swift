// SPDX-License-Identifier: Apache-2.0
// Report: a line a second, the table at the end, and the judgement.
// Owner:  the main thread.

import Foundation
import Tandem

@MainActor struct Report {
    private struct Row {
        let name: String
        let count: (Load) -> Int
        var before = 0
        var least = Int.max
        var most = 0
        var total = 0
    }

    private let seconds: Int
    private let warmUp: Int
    private var rows: [Row] = [
        Row(name: "frames") { $0.frames }, Row(name: "messages") { $0.messages }, Row(name: "timers") { $0.timers },
        Row(name: "posts") { $0.posts }, Row(name: "offloads") { $0.offloads }, Row(name: "signals") { $0.signals },
        Row(name: "scenes") { $0.scenes },
    ]
    private var worstTimer = Duration.zero
    private var warm: Usage?
    private var mostMemory = 0.0
    private var mostDescriptors = 0
    private var mostThreads = 0
    private var judged = 0

    init(seconds: Int, warmUp: Int) {
        self.seconds = seconds
        self.warmUp = warmUp
    }

    mutating func note(_ load: Load, second: Int) {
        let usage = Usage.now()
        var line = "\(second)/\(seconds) s"
        for index in rows.indices {
            let count = rows[index].count(load)
            let inThisSecond = count - rows[index].before
            rows[index].before = count
            rows[index].total = count
            line += "  \(rows[index].name) \(inThisSecond)"
            if second > warmUp {
                rows[index].least = min(rows[index].least, inThisSecond)
                rows[index].most = max(rows[index].most, inThisSecond)
            }
        }
        let late = load.takeLatestTimer()
        line +=
            "  latest timer \(Self.milliseconds(late))  \(String(format: "%.1f", usage.residentMegabytes)) MB  \(usage.descriptors) fds  \(usage.threads) threads"
        print(line, load.faults.isEmpty ? "" : " FAULTS \(load.faults.count)")
        fflush(nil)
        guard second >= warmUp else { return }
        worstTimer = max(worstTimer, late)
        if warm == nil { warm = usage }
        judged += 1
        mostMemory = max(mostMemory, usage.residentMegabytes)
        mostDescriptors = max(mostDescriptors, usage.descriptors)
        mostThreads = max(mostThreads, usage.threads)
    }

    private static func milliseconds(_ duration: Duration) -> String {
        String(format: "%.2f ms", duration / .milliseconds(1))
    }

    /// Prints the table. Whether all is well.
    func conclude(_ load: Load, _ statistics: Statistics) -> Bool {
        print("\nAfter a warm-up of \(warmUp) s, in \(judged) s:\n")
        print("| a second | least | most | all in all |\n|---|---|---|---|")
        for row in rows { print("| \(row.name) | \(row.least == .max ? 0 : row.least) | \(row.most) | \(row.total) |") }
        var faults = load.faults.values.sorted()
        for row in rows where row.total == 0 { faults.append("there were no \(row.name)") }
        if let warm {
            print("\n| | after the warm-up | most since |\n|---|---|---|")
            print(
                "| resident memory, MB | \(String(format: "%.1f", warm.residentMegabytes)) | \(String(format: "%.1f", mostMemory)) |"
            )
            print(
                "| descriptors | \(warm.descriptors) | \(mostDescriptors) |\n| threads | \(warm.threads) | \(mostThreads) |"
            )
            // What a run of half an hour may have on top for a burst: a twentieth and 8 MB.
            if mostMemory > warm.residentMegabytes * 1.05 + 8 {
                faults.append("memory grew from \(warm.residentMegabytes) to \(mostMemory) MB")
            }
            // Listing a folder takes a descriptor.
            if mostDescriptors > warm.descriptors + 1 {
                faults.append("descriptors grew from \(warm.descriptors) to \(mostDescriptors)")
            }
            if mostThreads > warm.threads + 1 { faults.append("threads grew from \(warm.threads) to \(mostThreads)") }
        } else {
            faults.append("it was too short to judge; give it \(warmUp + 5) s or more")
        }
        print(
            "\nThe latest timer was \(Self.milliseconds(worstTimer)) late. Hints dropped: \(statistics.hintsDropped).")
        print(
            faults.isEmpty
                ? "Nothing lost, early, out of order or growing." : "FAILED:\n" + faults.joined(separator: "\n"))
        return faults.isEmpty
    }
}
