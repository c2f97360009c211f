#include "find_heads/sample_text.h"

namespace air {

std::string_view sample_text() {
  // Written for this project.
  return R"(The ferry left ten minutes late, which surprised nobody. On the upper deck a woman in a yellow raincoat was
trying to fold a map that the wind wanted for itself, and two boys were feeding the gulls in spite of the sign that asked
them not to. The island lay ahead, low and green, with the lighthouse at its southern end and a thin line of smoke where
somebody was burning the last leaves of autumn.

Most people who live there keep a garden, because the soil is good and the shop is expensive. Potatoes do well, and so do
beans, as long as they are planted after the middle of May. Apples are harder: the salt air burns the blossoms, and only the
trees behind the church wall bear fruit every year. An old rule says that one should never sell those apples, only give
them away, and as far as anyone remembers the rule has been kept.

To see why the harbor had to be moved, it helps to think about how sand travels. A wave that meets the shore at an angle
carries each grain a little way along the beach before it falls back, and the next wave carries it further. Over a day the
distance is a few meters; over a winter it can be more than a mile. A wall that sticks out into the water stops this river
of sand, so that the beach grows on one side and shrinks on the other. The first harbor was built on the growing side.
Within twenty years its entrance was so shallow that boats could leave only at high tide.

The new one cost about three times as much as the council had planned. Part of the difference came from the price of stone,
which rose by a quarter while the contracts were being signed, and part from a storm that broke the unfinished wall in two
places. Still, nobody suggests going back. The fishing boats can work whenever the weather allows it, the ferry has stopped
running aground, and the school has used the old basin to teach swimming ever since.

If you have an afternoon, walk from the lighthouse to the northern point. The path is easy to follow, although it is wet
after rain, and there is a bench about halfway from which you can watch the seals. Take something warm to drink. The wind is
stronger than it looks from the village, and the last ferry does not wait.
)";
}

}  // namespace air
