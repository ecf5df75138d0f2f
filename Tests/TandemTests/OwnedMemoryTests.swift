// SPDX-License-Identifier: Apache-2.0
// OwnedMemoryTests: the array, the queue and the list whose memory the loop owns by itself.

import Testing

@testable import Tandem

extension Core.OwnedMemoryTests {
    private final class Witness {
        let number: Int
        let ended: (Int) -> Void
        init(_ number: Int, _ ended: @escaping (Int) -> Void) { (self.number, self.ended) = (number, ended) }
        deinit { ended(number) }
    }

    @Test func anOwnedArrayHoldsWhatAnArrayWouldThroughGrowthAndRemovals() {
        var owned = OwnedArray<Int>()
        var model: [Int] = []
        for number in 0..<500 {
            owned.append(number)
            model.append(number)
            // From the front, the middle and the end in turn, of each third number on.
            if number % 3 == 0 {
                let index = [0, model.count / 2, model.count - 1][number / 3 % 3]
                #expect(owned.remove(at: index) == model.remove(at: index))
            }
        }
        #expect(owned.count == model.count)
        #expect((0..<owned.count).map { owned[$0] } == model)
        #expect(owned.firstIndex { $0 > 250 } == model.firstIndex { $0 > 250 })
        #expect(owned.firstIndex { $0 < 0 } == nil)
    }

    @Test func anOwnedArrayReleasesEachElementOnce() {
        var ended: [Int] = []
        do {
            var owned = OwnedArray<Witness>()
            for number in 0..<20 { owned.append(Witness(number) { ended.append($0) }) }
            #expect(ended.isEmpty)
            _ = owned.remove(at: 7)
            #expect(ended == [7])
        }
        #expect(ended.sorted() == Array(0..<20))
    }

    /// Its entries begin in the middle of its memory and go on at the front.
    @Test func aTaskQueueThatEndsReleasesWhatIsInItOnce() {
        var ended: [Int] = []
        do {
            var queue = TaskQueue<Witness>()
            for number in 0..<50 { queue.append(Witness(number) { ended.append($0) }) }
            for number in 0..<40 { #expect(queue.popFirst()?.number == number) }
            for number in 50..<90 { queue.append(Witness(number) { ended.append($0) }) }
            #expect(ended == Array(0..<40))
            #expect(queue.count == 50)
        }
        #expect(ended == Array(0..<90))
    }

    private final class Member {
        let witness: Witness
        var place = MemberList<Member>.none
        var number: Int { witness.number }
        init(_ witness: Witness) { self.witness = witness }
    }

    /// Members that come and go, more and more of them and then fewer: in their order, each released once, and never looked
    /// for by a place that is another's.
    @Test func aListOfMembersKeepsTheirOrderHoweverTheyComeAndGo() {
        var ended: [Int] = []
        var added = 0
        do {
            var list = MemberList<Member> { $0.place = $1 }
            var model: [Member] = []
            for round in 0..<3000 {
                if round % 1000 < 400 || model.isEmpty {
                    let member = Member(Witness(added) { ended.append($0) })
                    added += 1
                    list.add(member)
                    model.append(member)
                } else {
                    // Of every kind: the oldest, the youngest, and those between them.
                    let member = model.remove(at: [0, model.count - 1, model.count / 2, model.count / 3][round % 4])
                    list.remove(at: member.place)
                    #expect(member.place == MemberList<Member>.none)
                    // Once more: it is no member any more.
                    list.remove(at: member.place)
                }
                #expect(list.count == model.count && list.isEmpty == model.isEmpty)
                if round % 100 == 0 { #expect(list.values.map(\.number) == model.map(\.number)) }
            }
            #expect(ended.count == added - model.count)
            for _ in 0..<100 {
                model.append(Member(Witness(added) { ended.append($0) }))
                added += 1
                list.add(model.last!)
            }
            let taken = list.takeAll()
            #expect(taken.map(\.number) == model.map(\.number))
            #expect(taken.allSatisfy { $0.place == MemberList<Member>.none } && list.isEmpty && list.values.isEmpty)
            for member in taken { list.add(member) }
            #expect(list.values.map(\.number) == model.map(\.number))
        }
        #expect(ended.sorted() == Array(0..<added))
    }
}
