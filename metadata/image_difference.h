// The difference of two images that do not follow each other: what observers are told when a
// snapshot takes the place of what a node had. Pure; goes over both images.
#pragma once

#include "metadata/image.h"
#include "metadata/metadata_store.h"

namespace chronik::metadata {

MetadataDelta difference(const Image& before, const Image& after);

}  // namespace chronik::metadata
