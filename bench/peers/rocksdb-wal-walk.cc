// Peer of bench/wal-decode: RocksDB walks its own log of one-put batches by GetUpdatesSince, down to each record.
// Usage: walk DIRECTORY BATCHES KEY_BYTES VALUE_BYTES   prints records a second
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {
class Counter : public rocksdb::WriteBatch::Handler {
 public:
  rocksdb::Status PutCF(uint32_t, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    records++;
    bytes += key.size() + value.size();
    return rocksdb::Status::OK();
  }
  uint64_t records = 0;
  uint64_t bytes = 0;
};
}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const std::string path = argv[1];
  const long batches = std::atol(argv[2]);
  const size_t key_bytes = std::atol(argv[3]);
  const std::string value(std::atol(argv[4]), 'v');
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = 4ull << 30;  // keep everything in one log file
  options.max_total_wal_size = 8ull << 30;
  options.WAL_ttl_seconds = 3600;
  rocksdb::DB* db = nullptr;
  if (!rocksdb::DB::Open(options, path, &db).ok()) return 1;
  if (db->GetLatestSequenceNumber() == 0) {
    for (long i = 0; i < batches; i++) {
      std::string key = std::to_string(i % 1000);
      key.insert(0, key_bytes - key.size(), '0');
      db->Put(rocksdb::WriteOptions(), key, value);
    }
  }
  const auto start = std::chrono::steady_clock::now();
  std::unique_ptr<rocksdb::TransactionLogIterator> iterator;
  if (!db->GetUpdatesSince(1, &iterator).ok()) return 1;
  Counter counter;
  for (; iterator->Valid(); iterator->Next()) iterator->GetBatch().writeBatchPtr->Iterate(&counter);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (counter.records != static_cast<uint64_t>(batches)) return 1;
  std::printf("%.0f\n", counter.records / seconds);
  delete db;
  return 0;
}
