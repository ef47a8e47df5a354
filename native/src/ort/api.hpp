#pragma once

#include <cstddef>
#include <cstdint>

/// ONNX Runtime's C interface as far as unitscope uses it, declared here because the library comes without a header.
///
/// ONNX Runtime hands out a table of function pointers that only ever grows at its end, so a member's slot is a stable
/// fact. A wrong slot can pass unnoticed for a while: every member here is checked by the values it gives, in the tests
/// and in the self-check that runs when the library is opened. Members keep ONNX Runtime's names.
namespace us::ort {

// What the interface hands out and takes back; nothing looks inside.
struct Allocator;
struct CustomOpDomain;
struct Env;
struct KernelContext;
struct KernelInfo;
struct MemoryInfo;
struct OpAttr;
struct RunOptions;
struct Session;
struct SessionOptions;
struct ShapeInferContext;
struct Status;
struct TensorTypeAndShapeInfo;
struct ThreadingOptions;
struct TypeInfo;
struct Value;

#ifdef _WIN32
using PathCharacter = wchar_t;
#else
using PathCharacter = char;
#endif

enum ErrorCode : int { kOk = 0, kFail = 1, kInvalidArgument = 2, kRuntimeException = 6, kNotImplemented = 9 };

enum LoggingLevel : int { kFatal = 4 };

enum OptimizationLevel : int { kDisableAll = 0, kEnableBasic = 1, kEnableExtended = 2, kEnableAll = 99 };

enum AllocatorType : int { kDeviceAllocator = 0, kArenaAllocator = 1 };

enum MemoryType : int { kMemoryDefault = 0 };

enum ValueKind : int { kKindUnknown = 0, kKindTensor = 1 };

/// The element types of ONNX's TensorProto, of which string and the complex ones are never handled here.
enum ElementType : int {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kBfloat16 = 16,
};

enum OpAttrType : int {
  kAttrInt = 1,
  kAttrInts = 2,
  kAttrFloat = 3,
  kAttrFloats = 4,
  kAttrString = 5,
  kAttrStrings = 6,
};

enum Characteristic : int { kRequired = 0, kOptional = 1, kVariadic = 2 };

struct Api;

/// An operator as ONNX Runtime calls it. `version` says up to which member ONNX Runtime reads; the versions are
/// those of the member that first needs them. Members beyond `version` may be NULL.
struct CustomOp {
  std::uint32_t version;

  void* (*CreateKernel)(const CustomOp* op, const Api* api, const KernelInfo* info);
  const char* (*GetName)(const CustomOp* op);
  /// NULL: the CPU.
  const char* (*GetExecutionProviderType)(const CustomOp* op);
  ElementType (*GetInputType)(const CustomOp* op, std::size_t index);
  std::size_t (*GetInputTypeCount)(const CustomOp* op);
  ElementType (*GetOutputType)(const CustomOp* op, std::size_t index);
  std::size_t (*GetOutputTypeCount)(const CustomOp* op);
  void (*KernelCompute)(void* kernel, KernelContext* context);
  void (*KernelDestroy)(void* kernel);
  // 8
  Characteristic (*GetInputCharacteristic)(const CustomOp* op, std::size_t index);
  Characteristic (*GetOutputCharacteristic)(const CustomOp* op, std::size_t index);
  // 13
  MemoryType (*GetInputMemoryType)(const CustomOp* op, std::size_t index);
  // 14; homogeneity: not 0 where all values of the variadic argument are of one type
  int (*GetVariadicInputMinArity)(const CustomOp* op);
  int (*GetVariadicInputHomogeneity)(const CustomOp* op);
  int (*GetVariadicOutputMinArity)(const CustomOp* op);
  int (*GetVariadicOutputHomogeneity)(const CustomOp* op);
  // 16; where set they are called instead of CreateKernel and KernelCompute
  Status* (*CreateKernelV2)(const CustomOp* op, const Api* api, const KernelInfo* info, void** kernel);
  Status* (*KernelComputeV2)(void* kernel, KernelContext* context);
  // 17
  Status* (*InferOutputShapeFn)(const CustomOp* op, ShapeInferContext* context);
  int (*GetStartVersion)(const CustomOp* op);
  int (*GetEndVersion)(const CustomOp* op);
  // 18; arrays of pairs (input, output) that may share, or do share, their memory
  std::size_t (*GetMayInplace)(int** input_index, int** output_index);
  void (*ReleaseMayInplace)(int* input_index, int* output_index);
  std::size_t (*GetAliasMap)(int** input_index, int** output_index);
  void (*ReleaseAliasMap)(int* input_index, int* output_index);
};

static_assert(offsetof(CustomOp, CreateKernel) == 1 * sizeof(void*));
static_assert(offsetof(CustomOp, KernelDestroy) == 9 * sizeof(void*));
static_assert(offsetof(CustomOp, GetInputMemoryType) == 12 * sizeof(void*));
static_assert(offsetof(CustomOp, CreateKernelV2) == 17 * sizeof(void*));
static_assert(offsetof(CustomOp, ReleaseAliasMap) == 25 * sizeof(void*));

/// The table. Functions that return a Status return NULL where all is well, and the caller releases it otherwise;
/// functions that begin with Release accept NULL.
struct Api {
  Status* (*CreateStatus)(ErrorCode code, const char* message);
  ErrorCode (*GetErrorCode)(const Status* status);
  const char* (*GetErrorMessage)(const Status* status);
  Status* (*CreateEnv)(LoggingLevel level, const char* name, Env** out);

  void* gap_4[4];
  Status* (*CreateSessionFromArray)(const Env* env, const void* model, std::size_t bytes, const SessionOptions* options,
                                    Session** out);
  Status* (*Run)(Session* session, const RunOptions* options, const char* const* input_names,
                 const Value* const* inputs, std::size_t input_count, const char* const* output_names,
                 std::size_t output_count, Value** outputs);
  Status* (*CreateSessionOptions)(SessionOptions** out);
  Status* (*SetOptimizedModelFilePath)(SessionOptions* options, const PathCharacter* path);

  void* gap_12[2];
  Status* (*EnableProfiling)(SessionOptions* options, const PathCharacter* prefix);

  void* gap_15[1];
  Status* (*EnableMemPattern)(SessionOptions* options);

  void* gap_17[1];
  Status* (*EnableCpuMemArena)(SessionOptions* options);

  void* gap_19[3];
  Status* (*SetSessionLogSeverityLevel)(SessionOptions* options, int level);
  Status* (*SetSessionGraphOptimizationLevel)(SessionOptions* options, OptimizationLevel level);
  Status* (*SetIntraOpNumThreads)(SessionOptions* options, int threads);
  Status* (*SetInterOpNumThreads)(SessionOptions* options, int threads);
  Status* (*CreateCustomOpDomain)(const char* domain, CustomOpDomain** out);
  Status* (*CustomOpDomain_Add)(CustomOpDomain* domain, const CustomOp* op);
  /// The domain must outlive the options and the sessions made with them.
  Status* (*AddCustomOpDomain)(SessionOptions* options, CustomOpDomain* domain);

  void* gap_29[1];
  Status* (*SessionGetInputCount)(const Session* session, std::size_t* out);
  Status* (*SessionGetOutputCount)(const Session* session, std::size_t* out);

  void* gap_32[1];
  Status* (*SessionGetInputTypeInfo)(const Session* session, std::size_t index, TypeInfo** out);

  void* gap_34[2];
  Status* (*SessionGetInputName)(const Session* session, std::size_t index, Allocator* allocator, char** out);
  Status* (*SessionGetOutputName)(const Session* session, std::size_t index, Allocator* allocator, char** out);

  void* gap_38[1];
  Status* (*CreateRunOptions)(RunOptions** out);

  void* gap_40[1];
  Status* (*RunOptionsSetRunLogSeverityLevel)(RunOptions* options, int level);

  void* gap_42[4];
  /// May be called while the options are in use: the run ends before its next node, with an error.
  Status* (*RunOptionsSetTerminate)(RunOptions* options);

  void* gap_47[2];
  /// Makes a tensor over memory that stays the caller's.
  Status* (*CreateTensorWithDataAsOrtValue)(const MemoryInfo* memory, void* data, std::size_t bytes,
                                            const std::int64_t* shape, std::size_t rank, ElementType type, Value** out);
  Status* (*IsTensor)(const Value* value, int* out);
  Status* (*GetTensorMutableData)(Value* value, void** out);

  void* gap_52[3];
  /// What is given belongs to the TypeInfo; NULL where it is not a tensor's.
  Status* (*CastTypeInfoToTensorInfo)(const TypeInfo* info, const TensorTypeAndShapeInfo** out);

  void* gap_56[1];
  Status* (*CreateTensorTypeAndShapeInfo)(TensorTypeAndShapeInfo** out);
  Status* (*SetTensorElementType)(TensorTypeAndShapeInfo* info, ElementType type);
  Status* (*SetDimensions)(TensorTypeAndShapeInfo* info, const std::int64_t* dims, std::size_t rank);
  Status* (*GetTensorElementType)(const TensorTypeAndShapeInfo* info, ElementType* out);
  Status* (*GetDimensionsCount)(const TensorTypeAndShapeInfo* info, std::size_t* rank);
  Status* (*GetDimensions)(const TensorTypeAndShapeInfo* info, std::int64_t* dims, std::size_t rank);
  /// The names belong to `info`; a dimension without one has the empty name.
  Status* (*GetSymbolicDimensions)(const TensorTypeAndShapeInfo* info, const char** names, std::size_t rank);
  Status* (*GetTensorShapeElementCount)(const TensorTypeAndShapeInfo* info, std::size_t* out);
  Status* (*GetTensorTypeAndShape)(const Value* value, TensorTypeAndShapeInfo** out);

  void* gap_66[3];
  Status* (*CreateCpuMemoryInfo)(AllocatorType allocator, MemoryType memory, MemoryInfo** out);

  void* gap_70[6];
  Status* (*AllocatorFree)(Allocator* allocator, void* memory);

  void* gap_77[1];
  /// The allocator is ONNX Runtime's and is not released.
  Status* (*GetAllocatorWithDefaultOptions)(Allocator** out);

  void* gap_79[6];
  Status* (*KernelInfoGetAttribute_float)(const KernelInfo* info, const char* name, float* out);
  Status* (*KernelInfoGetAttribute_int64)(const KernelInfo* info, const char* name, std::int64_t* out);
  /// `size` counts the final zero. With `out` NULL it is set; otherwise it says how much room there is.
  Status* (*KernelInfoGetAttribute_string)(const KernelInfo* info, const char* name, char* out, std::size_t* size);
  Status* (*KernelContext_GetInputCount)(const KernelContext* context, std::size_t* out);
  Status* (*KernelContext_GetOutputCount)(const KernelContext* context, std::size_t* out);
  /// The value is ONNX Runtime's; NULL for an optional input that is not given.
  Status* (*KernelContext_GetInput)(const KernelContext* context, std::size_t index, const Value** out);
  Status* (*KernelContext_GetOutput)(KernelContext* context, std::size_t index, const std::int64_t* dims,
                                     std::size_t rank, Value** out);
  void (*ReleaseEnv)(Env* env);
  void (*ReleaseStatus)(Status* status);
  void (*ReleaseMemoryInfo)(MemoryInfo* info);
  void (*ReleaseSession)(Session* session);
  void (*ReleaseValue)(Value* value);
  void (*ReleaseRunOptions)(RunOptions* options);
  void (*ReleaseTypeInfo)(TypeInfo* info);
  void (*ReleaseTensorTypeAndShapeInfo)(TensorTypeAndShapeInfo* info);
  void (*ReleaseSessionOptions)(SessionOptions* options);
  void (*ReleaseCustomOpDomain)(CustomOpDomain* domain);

  void* gap_102[8];
  /// The path of the profile, in the allocator's memory.
  Status* (*SessionEndProfiling)(Session* session, Allocator* allocator, char** path);

  void* gap_111[8];
  Status* (*CreateEnvWithGlobalThreadPools)(LoggingLevel level, const char* name, const ThreadingOptions* options,
                                            Env** out);
  Status* (*DisablePerSessionThreads)(SessionOptions* options);
  Status* (*CreateThreadingOptions)(ThreadingOptions** out);
  void (*ReleaseThreadingOptions)(ThreadingOptions* options);

  void* gap_123[7];
  Status* (*AddSessionConfigEntry)(SessionOptions* options, const char* key, const char* value);

  void* gap_131[16];
  Status* (*SetGlobalIntraOpNumThreads)(ThreadingOptions* options, int threads);
  Status* (*SetGlobalInterOpNumThreads)(ThreadingOptions* options, int threads);
  Status* (*SetGlobalSpinControl)(ThreadingOptions* options, int allow);

  void* gap_150[12];
  /// With `out` NULL `size` is set to the number of elements; otherwise it says how many there is room for.
  Status* (*KernelInfoGetAttributeArray_float)(const KernelInfo* info, const char* name, float* out, std::size_t* size);
  Status* (*KernelInfoGetAttributeArray_int64)(const KernelInfo* info, const char* name, std::int64_t* out,
                                               std::size_t* size);

  void* gap_164[66];
  Status* (*KernelInfo_GetInputCount)(const KernelInfo* info, std::size_t* out);
  Status* (*KernelInfo_GetOutputCount)(const KernelInfo* info, std::size_t* out);

  void* gap_232[12];
  Status* (*KernelInfo_GetNodeName)(const KernelInfo* info, char* out, std::size_t* size);

  void* gap_245[22];
  Status* (*ShapeInferContext_GetInputCount)(const ShapeInferContext* context, std::size_t* out);
  /// What is given belongs to the context.
  Status* (*ShapeInferContext_GetInputTypeShape)(const ShapeInferContext* context, std::size_t index,
                                                 TensorTypeAndShapeInfo** out);
  /// An error where the node has no such attribute.
  Status* (*ShapeInferContext_GetAttribute)(const ShapeInferContext* context, const char* name, const OpAttr** out);
  Status* (*ShapeInferContext_SetOutputTypeShape)(const ShapeInferContext* context, std::size_t index,
                                                  const TensorTypeAndShapeInfo* info);
  Status* (*SetSymbolicDimensions)(TensorTypeAndShapeInfo* info, const char* names[], std::size_t rank);
  /// `bytes` is the room at `data`; `out` is the size that is needed or was written, in bytes.
  Status* (*ReadOpAttr)(const OpAttr* attribute, OpAttrType type, void* data, std::size_t bytes, std::size_t* out);

  void* gap_273[1];
  /// Calls work(data, i) for every i below `total`, on the pool of the session's run and on the calling thread, in
  /// `batches` parts (0: as ONNX Runtime likes); returns when all are done. Errors cannot leave `work`.
  Status* (*KernelContext_ParallelFor)(const KernelContext* context, void (*work)(void* data, std::size_t index),
                                       std::size_t total, std::size_t batches, void* data);

  void* gap_275[2];
  /// Memory from the session's arena that is taken back when the node has run.
  Status* (*KernelContext_GetScratchBuffer)(const KernelContext* context, const MemoryInfo* memory, std::size_t bytes,
                                            void** out);

  void* gap_278[1];
  /// The buffers are read while a session is made, and may go afterwards. API 18.
  Status* (*AddExternalInitializersFromFilesInMemory)(SessionOptions* options, const PathCharacter* const* paths,
                                                      char* const* buffers, const std::size_t* bytes,
                                                      std::size_t count);

  void* gap_280[137];
  /// The array and its strings are in the allocator's memory. Tables of older versions end before it, and reading it
  /// there is undefined: what is to run on several versions of ONNX Runtime has to do without.
  Status* (*KernelInfoGetAttributeArray_string)(const KernelInfo* info, const char* name, Allocator* allocator,
                                                char*** out, std::size_t* size);
};

// One fact for each run of members: a miscounted gap does not compile.
#define US_ORT_SLOT(member, slot) static_assert(offsetof(Api, member) == (slot) * sizeof(void*))
US_ORT_SLOT(CreateEnv, 3);
US_ORT_SLOT(CreateSessionFromArray, 8);
US_ORT_SLOT(SetOptimizedModelFilePath, 11);
US_ORT_SLOT(EnableProfiling, 14);
US_ORT_SLOT(EnableMemPattern, 16);
US_ORT_SLOT(EnableCpuMemArena, 18);
US_ORT_SLOT(SetSessionLogSeverityLevel, 22);
US_ORT_SLOT(AddCustomOpDomain, 28);
US_ORT_SLOT(SessionGetInputCount, 30);
US_ORT_SLOT(SessionGetOutputCount, 31);
US_ORT_SLOT(SessionGetInputTypeInfo, 33);
US_ORT_SLOT(SessionGetInputName, 36);
US_ORT_SLOT(SessionGetOutputName, 37);
US_ORT_SLOT(CreateRunOptions, 39);
US_ORT_SLOT(RunOptionsSetRunLogSeverityLevel, 41);
US_ORT_SLOT(RunOptionsSetTerminate, 46);
US_ORT_SLOT(CreateTensorWithDataAsOrtValue, 49);
US_ORT_SLOT(GetTensorMutableData, 51);
US_ORT_SLOT(CastTypeInfoToTensorInfo, 55);
US_ORT_SLOT(CreateTensorTypeAndShapeInfo, 57);
US_ORT_SLOT(GetTensorTypeAndShape, 65);
US_ORT_SLOT(CreateCpuMemoryInfo, 69);
US_ORT_SLOT(AllocatorFree, 76);
US_ORT_SLOT(GetAllocatorWithDefaultOptions, 78);
US_ORT_SLOT(KernelInfoGetAttribute_float, 85);
US_ORT_SLOT(ReleaseEnv, 92);
US_ORT_SLOT(ReleaseCustomOpDomain, 101);
US_ORT_SLOT(SessionEndProfiling, 110);
US_ORT_SLOT(CreateEnvWithGlobalThreadPools, 119);
US_ORT_SLOT(ReleaseThreadingOptions, 122);
US_ORT_SLOT(AddSessionConfigEntry, 130);
US_ORT_SLOT(SetGlobalIntraOpNumThreads, 147);
US_ORT_SLOT(SetGlobalSpinControl, 149);
US_ORT_SLOT(KernelInfoGetAttributeArray_float, 162);
US_ORT_SLOT(KernelInfo_GetInputCount, 230);
US_ORT_SLOT(KernelInfo_GetNodeName, 244);
US_ORT_SLOT(ShapeInferContext_GetInputCount, 267);
US_ORT_SLOT(ReadOpAttr, 272);
US_ORT_SLOT(KernelContext_ParallelFor, 274);
US_ORT_SLOT(KernelContext_GetScratchBuffer, 277);
US_ORT_SLOT(AddExternalInitializersFromFilesInMemory, 279);
US_ORT_SLOT(KernelInfoGetAttributeArray_string, 417);
#undef US_ORT_SLOT

/// What the library exports as OrtGetApiBase.
struct ApiBase {
  /// The table, or NULL for a version the library does not know (after a line on stderr).
  const Api* (*GetApi)(std::uint32_t version);
  const char* (*GetVersionString)();
};

/// The interface of ONNX Runtime 1.N is version N.
constexpr std::uint32_t kApiVersion = 30;
/// The one library whose behaviour inside (layouts, thread pools, this table) was verified.
constexpr const char* kVersion = "1.30.0";

}  // namespace us::ort
