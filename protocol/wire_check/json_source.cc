// Boost.JSON compiled into the tools that use it, so that nothing is linked for it.
#include <boost/json/src.hpp>
