// SPDX-License-Identifier: Apache-2.0
// Machine: what the process uses, as the kernel tells it.
// Owner:  any thread.

import Foundation
import Glibc

struct Usage {
    let residentMegabytes: Double
    let descriptors: Int
    let threads: Int

    static func now() -> Usage {
        let pages =
            (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").dropFirst().first
            .flatMap { Int($0) } ?? 0
        return Usage(
            residentMegabytes: Double(pages * sysconf(Int32(_SC_PAGESIZE))) / 1_048_576,
            descriptors: entries("/proc/self/fd"), threads: entries("/proc/self/task"))
    }

    private static func entries(_ path: String) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: path))?.count ?? 0
    }
}

/// Lets the process have `count` descriptors, or as many as it may. How many that are.
func raiseDescriptorLimit(to count: Int) -> Int {
    let resource = __rlimit_resource_t(7)  // RLIMIT_NOFILE
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return 0 }
    limit.rlim_cur = min(max(limit.rlim_cur, rlim_t(count)), limit.rlim_max)
    setrlimit(resource, &limit)
    getrlimit(resource, &limit)
    return Int(limit.rlim_cur)
}
